"""What an estimate would run, for inspections: the program in its first basis, and how often."""

from dataclasses import dataclass, replace

from ketline.domain.observables import observables_at
from ketline.domain.spec import RunOptions, TaskSpec
from ketline.domain.sweep import number_of_points
from ketline.execution.circuit.pauli_bases import measured_sums
from ketline.execution.frontend.program import Program
from ketline.execution.simulators.estimation.estimate import shots_in
from ketline.execution.simulators.estimation.measured import measured_in


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """A program with its shots and options, which is run `repeats` times or in as many bases."""

    program: Program
    shots: int
    options: RunOptions
    repeats: int = 1


def planned_run(program: Program, spec: TaskSpec) -> PlannedRun:
    """What a task runs, of a sweep at its first point."""
    options = spec.options
    if not options.observables or not options.sampled:
        return PlannedRun(program, spec.shots, options)
    observables = observables_at(options.observables, number_of_points(spec.inputs) or 1)[0]
    sums = measured_sums(observables, program.dephased)
    if not sums.bases:
        return PlannedRun(program, spec.shots, options)
    basis = sums.bases[0]
    of_counts = replace(options, observables=())
    shots = shots_in(basis, sums, spec.shots, options.precision)
    return PlannedRun(measured_in(program, basis.letters), shots, of_counts, len(sums.bases))
