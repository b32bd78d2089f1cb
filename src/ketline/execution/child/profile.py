"""Creates the profile of a task; for a sweep, it describes the first point."""

from ketline.domain.results.result import Profile, Register
from ketline.domain.tasks.seeds import SEED_SCHEME
from ketline.execution.child.soft_time_limit import Stopwatch
from ketline.execution.frontend.program import Program
from ketline.execution.simulators.aer import Differentiated, Expectation, Simulation
from ketline.execution.simulators.saving import Saved


def profile_of(
    program: Program, simulation: Simulation | Expectation | Differentiated | Saved, stopwatch: Stopwatch
) -> Profile:
    """The profile of a run; its times include all points of a sweep."""
    return Profile(
        method=simulation.method,
        method_reason=simulation.reason,
        engine=simulation.engine,
        qubits=program.lowered.num_qubits,
        depth=program.lowered.depth,
        operations=dict(program.lowered.operations),
        parsing_seconds=round(stopwatch.reading_seconds, 6),
        simulating_seconds=round(stopwatch.simulating_seconds, 6),
        tier=program.front_end,
        seed_scheme=SEED_SCHEME if _is_drawn(simulation) else None,
        registers=tuple(
            Register(bits=bits, name=name) for bits, name in zip(program.groups, program.names, strict=True)
        ),
        warnings=program.warnings,
        placement=program.placement,
    )


def _is_drawn(simulation: Simulation | Expectation | Differentiated | Saved) -> bool:
    """Whether the result depends on random numbers."""
    if isinstance(simulation, Expectation):
        return simulation.errors is not None
    return isinstance(simulation, Simulation)
