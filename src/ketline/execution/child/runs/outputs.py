"""Computes the outputs of a task, states and what follows from them, for a sweep at each point."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ketline.domain.results.outputs import RequestedOutput, gives_counts, states_of
from ketline.domain.results.result import Point, RunResult
from ketline.domain.tasks.inputs import InputValue
from ketline.domain.tasks.quota_checks import require_qubits
from ketline.domain.tasks.sweep import seed_at
from ketline.execution.child.profile import profile_of
from ketline.execution.child.result_size import characters_of, check_outputs, check_size
from ketline.execution.child.runs.context import RunContext, prepared_for
from ketline.execution.child.runs.corrections import CorrectedSimulation, corrected, readout_result
from ketline.execution.circuit.observables.final_state import final_state_of
from ketline.execution.frontend.program import Program
from ketline.execution.simulators.aer import Simulation
from ketline.execution.simulators.channels import NoiseModel
from ketline.execution.simulators.estimation import Calibration
from ketline.execution.simulators.saving import Saved

ReadAt = Callable[[Mapping[str, InputValue]], Program]


def compute_outputs(run: RunContext) -> RunResult:
    """Compute the outputs, and draw counts if they are among them."""
    outputs = states_of(run.spec.options.outputs)
    with run.stopwatch.reading():
        noise = run.noise_model()
        read_state = run.reader.loader(run.request, final_state_of(outputs))
        read = run.reader.loader(run.request, None) if gives_counts(run.spec.options.outputs) else None
    calibration = run.calibration(noise)
    corrections: list[CorrectedSimulation] = []
    first: tuple[Program, Saved | Simulation] | None = None
    found: list[Point] = []
    for number, inputs in enumerate(run.inputs()):
        with run.at_point(number):
            state, saved = _saved(run, outputs, read_state, inputs, noise)
            point = Point(counts={}, outputs=saved.outputs)
            first = first or (state, saved)
            if read is not None:
                program, counted = _counted(run, read, inputs, number, noise, calibration)
                point = replace(point, counts=counted.simulation.counts, memory=counted.simulation.memory)
                first = (program, counted.simulation) if number == 0 else first
                corrections.append(counted)
        found.append(point)
    assert first is not None  # a sweep has a point
    profile, shots, swept = profile_of(*first, run.stopwatch), run.spec.shots, run.points is not None
    mitigation = readout_result(corrections, swept=swept) if corrections else None
    if swept:
        return RunResult(counts={}, shots=shots, profile=profile, points=found, mitigation=mitigation)
    [one] = found
    return RunResult(
        counts=one.counts,
        shots=shots,
        profile=profile,
        memory=one.memory,
        outputs=one.outputs,
        mitigation=mitigation,
    )


def _saved(
    run: RunContext,
    outputs: Sequence[RequestedOutput],
    read: ReadAt,
    inputs: Mapping[str, InputValue],
    noise: NoiseModel | None,
) -> tuple[Program, Saved]:
    with run.stopwatch.reading():
        program = prepared_for(read(inputs), noise)
    require_qubits(program.declared_qubits, run.spec)
    check_outputs(outputs, program.declared_qubits, run.points or 1, run.limits)
    with run.stopwatch.simulating():
        return program, run.simulator.save(program, outputs, run.spec.options.method, noise)


def _counted(
    run: RunContext,
    read: ReadAt,
    inputs: Mapping[str, InputValue],
    number: int,
    noise: NoiseModel | None,
    calibration: Calibration | None,
) -> tuple[Program, CorrectedSimulation]:
    options = run.spec.options
    if run.points is not None:
        options = replace(options, seed=seed_at(options.seed, number))
    with run.stopwatch.reading():
        program = prepared_for(read(inputs), noise)
    with run.stopwatch.simulating():
        simulation = run.simulator.run(program, run.spec.shots, options, noise=noise)
        found = corrected(program, simulation, calibration)
    check_size((run.points or 1) * (characters_of(simulation) + found.characters), simulation, run.limits)
    return program, found
