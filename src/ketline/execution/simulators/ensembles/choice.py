"""Chooses how exact expectation values of a circuit with outcomes or errors are computed, and says why."""

from ketline.domain.circuits.method import Method
from ketline.domain.errors import ProgramTooLarge, ProgramUnsupported
from ketline.execution.circuit.passes.lowered import BRANCHES, Lowered
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.ensembles.methods import EvolvedDensityMatrix, Histories
from ketline.execution.simulators.methods import Choice, SimulationMethod
from ketline.execution.simulators.noise.circuit_errors import CircuitErrors
from ketline.execution.simulators.sizes import readable

_ACTING_ON_BITS = frozenset({"store"}) | BRANCHES
_HINT = "give 'shots' or 'precision' to estimate the values"
# A day: no task may run as long.
_MAX_SECONDS = 86_400.0
# Density matrices of so few qubits take no time, whatever the program does.
_FEW_QUBITS = 5


def is_unitary(lowered: Lowered) -> bool:
    """Whether a circuit has only gates, so that it ends in one pure state."""
    return not (lowered.operations["measure"] or lowered.operations["reset"] or acts_on_bits(lowered))


def acts_on_bits(lowered: Lowered) -> bool:
    """Whether what a circuit does may depend on its bits."""
    return not _ACTING_ON_BITS.isdisjoint(lowered.operations)


def choose_exact(lowered: Lowered, requested: Method, limits: ExecutionLimits, errors: CircuitErrors | None) -> Choice:
    """Choose how exact values are computed; nothing has been allocated when this returns or raises.

    Raises:
        ProgramTooLarge: every way takes too much memory, or longer than any program may run.
        ProgramUnsupported: the requested method cannot compute exact values of this circuit.
    """
    offered: dict[Method, SimulationMethod] = {Method.DENSITY_MATRIX: EvolvedDensityMatrix(errors)}
    if errors is None:
        offered[Method.STATEVECTOR] = Histories()
    if requested is not Method.AUTOMATIC:
        if requested not in offered:
            names = " or ".join(map(repr, map(str, offered)))
            raise ProgramUnsupported(
                f"method '{requested}' has no exact expectation values with measurements, resets, branches or noise; "
                f"choose {names}, or {_HINT}"
            )
        offered[requested].require(lowered, limits.memory_bytes)
        return Choice(offered[requested], "as requested")
    return _quickest(lowered, limits, list(offered.values()))


def _quickest(lowered: Lowered, limits: ExecutionLimits, methods: list[SimulationMethod]) -> Choice:
    possible: list[SimulationMethod] = []
    reasons = []
    for method in methods:
        try:
            method.require(lowered, limits.memory_bytes)
            possible.append(method)
        except ProgramTooLarge as error:
            reasons.append(error.message)
    if not possible:
        raise ProgramTooLarge(f"{'; '.join(reasons)}: {_HINT}")
    seconds = {method.name: method.seconds(lowered, 1, limits) or 0.0 for method in possible}
    best = min(possible, key=lambda method: seconds[method.name])
    # In a loop histories divide in each iteration, and density matrices are merged.
    if Method.DENSITY_MATRIX in seconds and (lowered.num_qubits <= _FEW_QUBITS or lowered.operations["while_loop"]):
        best = possible[0]
    expected = f"about {seconds[best.name]:.2g} s"
    if seconds[best.name] > _MAX_SECONDS:
        raise ProgramTooLarge(f"exact values by method '{best.name}' take {expected}: {_HINT}")
    what = "density matrices" if best.name is Method.DENSITY_MATRIX else "states, one for each history of outcomes,"
    return Choice(best, f"exact values: {what} take {readable(best.bytes_needed(lowered))} and {expected}")
