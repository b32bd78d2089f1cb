"""Draws counts, for a sweep at each point."""

from dataclasses import replace

from ketline.domain.quota_checks import require_qubits
from ketline.domain.sweep import seed_at
from ketline.domain.task import Point, RunResult
from ketline.execution.child.profile import profile_of
from ketline.execution.child.result_size import characters_of, check_size
from ketline.execution.child.runs.context import RunContext, prepared_for
from ketline.execution.frontend.program import Program
from ketline.execution.simulators.aer import Simulation


def draw_counts(run: RunContext) -> RunResult:
    """Run the program, a sweep at each of its points."""
    return _once(run) if run.points is None else _sweep(run)


def _once(run: RunContext) -> RunResult:
    spec = run.spec
    with run.stopwatch.reading():
        noise = run.noise_model()
        program = prepared_for(run.reader.load(run.request, None), noise)
    require_qubits(program.declared_qubits, spec)
    with run.stopwatch.simulating():
        simulation = run.simulator.run(program, spec.shots, spec.options, noise=noise)
    check_size(characters_of(simulation), simulation, run.limits)
    profile = profile_of(program, simulation, run.stopwatch)
    return RunResult(counts=simulation.counts, shots=spec.shots, memory=simulation.memory, profile=profile)


def _sweep(run: RunContext) -> RunResult:
    spec, characters = run.spec, 0
    with run.stopwatch.reading():
        read, noise = run.reader.at_points(run.request, None), run.noise_model()
    runs: list[tuple[Program, Simulation]] = []
    for number, inputs in enumerate(run.inputs()):
        options = replace(spec.options, seed=seed_at(spec.options.seed, number))
        with run.at_point(number):
            with run.stopwatch.reading():
                program = prepared_for(read(inputs), noise)
            require_qubits(program.declared_qubits, spec)
            with run.stopwatch.simulating():
                simulation = run.simulator.run(program, spec.shots, options, likely_repeated=False, noise=noise)
            characters += characters_of(simulation)
            check_size(characters, simulation, run.limits)
        runs.append((program, simulation) if not runs else (runs[0][0], simulation))
    return RunResult(
        counts={},
        shots=spec.shots,
        profile=profile_of(*runs[0], run.stopwatch),
        points=[Point(counts=simulation.counts, memory=simulation.memory) for _, simulation in runs],
    )
