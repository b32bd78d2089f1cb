"""Draws counts; for a sweep, at each point."""

from dataclasses import replace

from ketline.domain.results.result import Point, RunResult
from ketline.domain.tasks.quota_checks import require_qubits
from ketline.domain.tasks.sweep import seed_at
from ketline.execution.child.profile import profile_of
from ketline.execution.child.result_size import characters_of, check_size
from ketline.execution.child.runs.context import RunContext, prepared_for
from ketline.execution.child.runs.corrections import CorrectedSimulation, corrected, readout_result
from ketline.execution.frontend.program import Program


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
        found = corrected(program, simulation, run.calibration(noise))
    check_size(characters_of(simulation) + found.characters, simulation, run.limits)
    return RunResult(
        counts=simulation.counts,
        shots=spec.shots,
        memory=simulation.memory,
        profile=profile_of(program, found.simulation, run.stopwatch),
        mitigation=readout_result([found], swept=False),
    )


def _sweep(run: RunContext) -> RunResult:
    spec, characters = run.spec, 0
    with run.stopwatch.reading():
        read, noise = run.reader.at_points(run.request, None), run.noise_model()
    calibration = run.calibration(noise)
    first: Program | None = None
    runs: list[CorrectedSimulation] = []
    for number, inputs in enumerate(run.inputs()):
        options = replace(spec.options, seed=seed_at(spec.options.seed, number))
        with run.at_point(number):
            with run.stopwatch.reading():
                program = prepared_for(read(inputs), noise)
            require_qubits(program.declared_qubits, spec)
            with run.stopwatch.simulating():
                simulation = run.simulator.run(program, spec.shots, options, likely_repeated=False, noise=noise)
                found = corrected(program, simulation, calibration)
            characters += characters_of(simulation) + found.characters
            check_size(characters, simulation, run.limits)
        first = first or program
        runs.append(found)
    assert first is not None  # a sweep has a point
    return RunResult(
        counts={},
        shots=spec.shots,
        profile=profile_of(first, runs[0].simulation, run.stopwatch),
        points=[Point(counts=one.simulation.counts, memory=one.simulation.memory) for one in runs],
        mitigation=readout_result(runs, swept=True),
    )
