"""The tasks of a run of the backend: which circuits share one, and with which options and seeds."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from qiskit.circuit import ControlFlowOp
from qiskit.exceptions import QiskitError

from ketline.client.convert.qiskit import serialized
from ketline.client.task_limits import TaskLimits, portions
from ketline.domain.tasks.seeds import derived_seed, fresh_seed
from ketline.qiskit.circuit_groups import CircuitGroup, groups_of, measures
from ketline.qiskit.options import METHODS_OF_SAVES, RunOptions
from ketline.qiskit.placement import device_options, waits, without_layout
from ketline.qiskit.results.experiments import experiment_of
from ketline.qiskit.results.runs import Part, Run
from ketline.qiskit.saves import Saves, require_averages, saves_of
from ketline.qiskit.sweeps import characters_of_counts
from ketline.qiskit.task_group import TaskRequest

# A pass of qiskit-aer whose errors are not part of `NoiseModel.to_dict`.
_RELAXATION = "RelaxationNoisePass"


def bound_circuits(circuits: Sequence[Any], binds: Sequence[Mapping[Any, Any]] | None) -> list[Any]:
    """The circuits with each of the values that `binds` gives their parameters, circuit by circuit.

    Raises:
        QiskitError: a parameter has no value, or a value no parameter, or there are numbers of values that differ.
    """
    if binds is not None:
        if len(binds) != len(circuits):
            raise QiskitError(f"`parameter_binds` has {len(binds)} mappings for {len(circuits)} circuits.")
        circuits = [each for circuit, values in zip(circuits, binds, strict=True) for each in _bound(circuit, values)]
    for circuit in circuits:
        if circuit.parameters:
            raise QiskitError(f"Circuit {circuit.name!r} has parameters without values: assign them first.")
    return list(circuits)


def run_of(circuits: Sequence[Any], options: RunOptions, limits: TaskLimits) -> tuple[Run, list[TaskRequest]]:
    """A run of circuits without parameters, and the requests of its tasks.

    Raises:
        QiskitError: there is another number of seeds than of circuits, or a circuit saves what is not supported.
    """
    seeds = options.seeds
    if isinstance(seeds, Sequence) and len(seeds) != len(circuits):
        raise QiskitError(f"`seed_simulator` has {len(seeds)} seeds for {len(circuits)} circuits.")
    if options.device is not None:
        circuits = list(map(without_layout, circuits))
    saves = list(map(saves_of, circuits))
    for one in saves:
        require_same_errors(one.circuit, options.noise)
        if options.noise is not None:
            require_averages(one)
    shots = [part.stop - part.start for part in portions(options.shots, limits.shots)]
    groups = _groups(saves, options, limits, alone=len(shots) > 1 or isinstance(seeds, Sequence))
    parts: list[Part] = []
    requests: list[TaskRequest] = []
    for group in groups:
        own = list(_requests(group, saves[group.members[0]], options, shots))
        requests += own
        parts += [Part(members=group.members, swept=bool(group.inputs)) for _ in own]
    experiments = [experiment_of(one.circuit, one.saved) for one in saves]
    return Run(shots=options.shots, experiments=experiments, parts=parts, device=options.device), requests


def _requests(group: CircuitGroup, saves: Saves, options: RunOptions, shots: Sequence[int]) -> Iterator[TaskRequest]:
    """The tasks of a group, which share its shots; the first has what a circuit saves, and one without shots is all."""
    shared = {**options.for_tasks, "noise": options.noise, "memory": options.memory or None}
    shared |= device_options(options.device, saves.circuit.num_qubits)
    if group.inputs:
        shared["inputs"] = group.inputs
    if shared["method"] in METHODS_OF_SAVES:
        if not saves.saved:
            raise QiskitError(f"The method {shared['method']!r} is for circuits that save a unitary.")
        shared["method"] = None
    if saves.saved and not measures(saves.circuit):
        yield group.circuit, {**shared, "memory": None, "outputs": saves.requested(counts=False)}
        return
    for number, (seed, some) in enumerate(zip(_seeds(options.seeds, group.members[0], len(shots)), shots, strict=True)):
        outputs = {"outputs": saves.requested(counts=True)} if saves.saved and not number else {}
        yield group.circuit, {**shared, **outputs, "seed": seed, "shots": some}


def require_same_errors(circuit: Any, noise: Any) -> None:
    """Reject what has errors on AerSimulator and none on the service: gates by their labels, delays, and what is else
    added by passes, as models of `NoiseModel.from_backend` do for delays.

    Raises:
        QiskitError: the model has errors for the name or the label of a gate that has a label, or for a delay of the
            circuit, or other passes.
    """
    passes = {type(each).__name__ for each in getattr(noise, "_custom_noise_passes", ())}
    if passes - {_RELAXATION}:
        raise QiskitError(f"The noise model has the pass {min(passes - {_RELAXATION})}, which the service lacks.")
    if passes and waits(circuit):
        raise QiskitError(
            f"Circuit {circuit.name!r} has a delay, and the noise model has errors of delays, which the service lacks. "
            "Replace delays by identity gates with errors, or remove them."
        )
    _require_no_labels(circuit, noise)


def _require_no_labels(circuit: Any, noise: Any) -> None:
    noisy = set(getattr(noise, "noise_instructions", ()))
    for instruction in circuit.data if noisy else ():
        operation = instruction.operation
        if isinstance(operation, ControlFlowOp):
            for block in operation.blocks:
                _require_no_labels(block, noise)
        elif operation.label not in (None, operation.name) and noisy & {operation.name, operation.label}:
            raise QiskitError(
                f"A gate {operation.name!r} has the label {operation.label!r}: the service finds errors by the names "
                "of gates, and AerSimulator by their labels. Remove the label."
            )


def _groups(saves: Sequence[Saves], options: RunOptions, limits: TaskLimits, *, alone: bool) -> list[CircuitGroup]:
    """Groups of the circuits that measure or save; each is one of its own if it saves, or if `alone` is set."""
    circuits = [one.circuit for one in saves]
    saving = [
        CircuitGroup(members=[number], circuit=serialized(one.circuit, with_phase=True))
        for number, one in enumerate(saves)
        if one.saved
    ]
    measuring = [number for number, one in enumerate(saves) if not one.saved and measures(one.circuit)]
    chosen = [circuits[number] for number in measuring]
    characters = [characters_of_counts(circuit, options.shots, memory=options.memory) for circuit in chosen]
    most, on_device = [1] if alone else [], options.device is not None
    found = groups_of(chosen, limits, max(characters, default=0), *most, with_delays=on_device)
    groups = [
        CircuitGroup(members=[measuring[one] for one in group.members], circuit=group.circuit, inputs=group.inputs)
        for group in found
    ]
    return sorted([*groups, *saving], key=lambda group: group.members[0])


def _seeds(given: int | Sequence[int] | None, number: int, tasks: int) -> list[int | None]:
    """The seeds of the tasks that share the shots of a circuit, from the first of which the others are derived."""
    first = given[number] if isinstance(given, Sequence) else seed_of(given, number)
    return shot_seeds(first, tasks)


def seed_of(seed: int | None, number: int) -> int | None:
    """The seed of the circuit of this number in a run with this seed."""
    return derived_seed(seed, "circuit", number) if number and seed is not None else seed


def shot_seeds(first: int | None, tasks: int) -> list[int | None]:
    """The seeds of tasks that share the shots of a circuit; without a first one, and for several, it is random."""
    if first is None:
        first = fresh_seed() if tasks > 1 else None
    return [derived_seed(first, "shots", number) if number and first is not None else first for number in range(tasks)]


def _bound(circuit: Any, values: Mapping[Any, Any]) -> list[Any]:
    """The circuit with each value of its parameters; itself, if it has none."""
    columns = {name: np.atleast_1d(given) for name, given in values.items()}
    lengths = {len(column) for column in columns.values()}
    if len(lengths) > 1:
        raise QiskitError(f"The parameters of circuit {circuit.name!r} have different numbers of values.")
    if not columns:
        return [circuit]
    return [
        circuit.assign_parameters({name: float(column[number]) for name, column in columns.items()})
        for number in range(lengths.pop())
    ]
