"""The tasks of a run of the backend: which circuits share one, and with which options and seeds."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from qiskit.exceptions import QiskitError

from ketline.domain.seeds import derived_seed, fresh_seed
from ketline.qiskit.circuit_groups import CircuitGroup, groups_of, measures
from ketline.qiskit.options import RunOptions
from ketline.qiskit.results.experiments import experiment_of
from ketline.qiskit.results.runs import Part, Run
from ketline.qiskit.sweeps import TaskLimits, characters_of_counts, portions
from ketline.qiskit.task_group import TaskRequest


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
        QiskitError: there is another number of seeds than of circuits.
    """
    seeds = options.seeds
    if isinstance(seeds, Sequence) and len(seeds) != len(circuits):
        raise QiskitError(f"`seed_simulator` has {len(seeds)} seeds for {len(circuits)} circuits.")
    shots = [part.stop - part.start for part in portions(options.shots, limits.shots)]
    groups = _groups(circuits, options, limits, alone=len(shots) > 1 or isinstance(seeds, Sequence))
    parts = [Part(members=group.members, swept=bool(group.inputs)) for group in groups for _ in shots]
    run = Run(shots=options.shots, experiments=list(map(experiment_of, circuits)), parts=parts)
    shared = {**options.for_tasks, "memory": options.memory or None}
    return run, [
        (group.circuit, {**shared, **_own_options(group, seed), "shots": some})
        for group in groups
        for seed, some in zip(_seeds(seeds, group.members[0], len(shots)), shots, strict=True)
    ]


def _groups(circuits: Sequence[Any], options: RunOptions, limits: TaskLimits, *, alone: bool) -> list[CircuitGroup]:
    """Groups of the circuits that measure; each is a group of its own if `alone` is set."""
    measuring = [number for number, circuit in enumerate(circuits) if measures(circuit)]
    chosen = [circuits[number] for number in measuring]
    characters = [characters_of_counts(circuit, options.shots, memory=options.memory) for circuit in chosen]
    found = groups_of(chosen, limits, max(characters, default=0), *([1] if alone else []))
    return [
        CircuitGroup(members=[measuring[one] for one in group.members], circuit=group.circuit, inputs=group.inputs)
        for group in found
    ]


def _own_options(group: CircuitGroup, seed: int | None) -> dict[str, Any]:
    return {"seed": seed, **({"inputs": group.inputs} if group.inputs else {})}


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
