"""Plans the run of a task for an inspection: the program in its first basis, and how often it would run."""

from dataclasses import dataclass, replace

from ketline.domain.results.observables import observables_at
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.domain.tasks.sweep import number_of_points
from ketline.execution.circuit.observables.pauli_bases import measured_sums
from ketline.execution.frontend.program import Program
from ketline.execution.simulators.channels import NoiseModel
from ketline.execution.simulators.estimation.estimate import qubits_of, shots_in
from ketline.execution.simulators.estimation.folding import folded_programs
from ketline.execution.simulators.estimation.measured import measured_in
from ketline.execution.simulators.estimation.readout import corrected_signs


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """A program with its shots and options; `repeats` is the number of runs over all bases and scale factors."""

    program: Program
    shots: int
    options: RunOptions
    repeats: int = 1


def planned_run(program: Program, spec: TaskSpec, noise: NoiseModel | None, max_operations: int) -> PlannedRun:
    """The run of a task: for a sweep, at its first point; for an extrapolation, with its largest scale factor.

    Raises:
        ProgramUnsupported, ProgramTooLarge: the errors of the program cannot be mitigated.
    """
    mitigation = spec.options.mitigation
    if mitigation is None or mitigation.zne is None:
        return _in_bases(program, spec, noise)
    *_, largest = folded_programs(program, mitigation.zne, max_operations)
    planned = _in_bases(largest.program, spec, noise)
    return replace(planned, repeats=planned.repeats * len(mitigation.zne.scale_factors))


def _in_bases(program: Program, spec: TaskSpec, noise: NoiseModel | None) -> PlannedRun:
    options = spec.options
    if not options.observables or not options.sampled:
        return PlannedRun(program, spec.shots, options)
    observables = observables_at(options.observables, number_of_points(spec.inputs) or 1)[0]
    sums = measured_sums(observables, program.dephased)
    if not sums.bases:
        return PlannedRun(program, spec.shots, options)
    if options.mitigation is not None and options.mitigation.readout and noise is not None:
        corrected_signs(lambda qubit: noise.misreading(program.device_qubit(qubit)), qubits_of(sums))
    basis = sums.bases[0]
    of_counts = replace(options, observables=())
    shots = shots_in(basis, sums, spec.shots, options.precision)
    return PlannedRun(measured_in(program, basis.letters), shots, of_counts, len(sums.bases))
