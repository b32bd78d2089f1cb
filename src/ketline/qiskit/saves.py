"""Converts the `save_*` instructions of a circuit to outputs of its task. Used by `requests.py`.

The instructions are those of `qiskit_aer.library`, which need not be installed here: they are known by their names.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qiskit.circuit import ControlFlowOp, Instruction
from qiskit.exceptions import QiskitError

from ketline.domain.results.outputs import OF_ONE_STATE, WHOLE, OutputType
from ketline.qiskit.results.experiments import output_name
from ketline.qiskit.results.saved_data import SavedData

_MODULE, _PREFIXES = "qiskit_aer.library.", ("save_", "set_")
# The output that the service computes for each instruction. A state is saved under the name of its type.
_TYPES: Mapping[str, OutputType] = {
    "save_state": OutputType.STATEVECTOR,
    "save_statevector": OutputType.STATEVECTOR,
    "save_statevector_dict": OutputType.STATEVECTOR,
    "save_amplitudes": OutputType.STATEVECTOR,
    "save_density_matrix": OutputType.DENSITY_MATRIX,
    "save_probabilities": OutputType.PROBABILITIES,
    "save_probabilities_dict": OutputType.PROBABILITIES,
    "save_amplitudes_sq": OutputType.PROBABILITIES,
    "save_unitary": OutputType.UNITARY,
    "save_expval": OutputType.EXPECTATION_VALUES,
    "save_expval_var": OutputType.EXPECTATION_VALUES,
}
_LABEL_OF_METHOD = "_method_"
_AVERAGED = frozenset({"single", "average"})
_FINAL = frozenset({"barrier", "measure"})


@dataclass(frozen=True, slots=True)
class Saves:
    """A circuit with named places instead of its `save_*` instructions, and what they save.

    `outputs` are those of a task that computes it, in the same order.
    """

    circuit: Any
    saved: Sequence[SavedData] = ()
    outputs: Sequence[Mapping[str, Any]] = ()

    def requested(self, *, counts: bool) -> list[Mapping[str, Any]]:
        """The `outputs` of a task, with counts or without."""
        return [*([{"type": OutputType.COUNTS.value}] if counts else []), *self.outputs]


def saves_of(circuit: Any) -> Saves:
    """Take the `save_*` instructions out of a circuit; only those before its end leave a named place.

    Raises:
        QiskitError: one of them is not supported, or inside of a block; the message names it.
    """
    _reject_in_blocks(circuit)
    if not any(map(_is_of_aer, circuit.data)):
        return Saves(circuit)
    left, saved, outputs = circuit.copy_empty_like(), list[SavedData](), list[Mapping[str, Any]]()
    end, place = _end_of(circuit), None
    for number, instruction in enumerate(circuit.data):
        if not _is_of_aer(instruction):
            left.append(instruction)
            place = None
            continue
        if place is None and number < end:
            place = f"place{number}"
            left.append(Instruction("save_state", 0, 0, [], label=place), [])
        name = output_name(len(saved))
        outputs.append({**_output(instruction, circuit), "name": name, **({"at": place} if place else {})})
        saved.append(_saved(instruction))
    labels = [one.label for one in saved]
    if repeated := next((label for label in labels if labels.count(label) > 1), None):
        raise QiskitError(f"Circuit {circuit.name!r} saves twice as {repeated!r}: give each a `label` of its own.")
    return Saves(left, saved, outputs)


def require_averages(saves: Saves) -> None:
    """Reject what only a single state has: with noise there is one for each error.

    Raises:
        QiskitError: the circuit saves such; the message names the instruction.
    """
    for one in saves.saved:
        if _TYPES[one.kind] in OF_ONE_STATE:
            raise QiskitError(
                f"{one.kind!r} is not supported with a noise model, with which a circuit has a state for each error: "
                "use save_density_matrix, which is their average."
            )


def _end_of(circuit: Any) -> int:
    """The index from which on instructions save the final state: that before the measurements at the end."""
    end = 0
    for number, instruction in enumerate(circuit.data):
        if instruction.name == "measure":
            # Outputs after it are of a measured state, unless a gate follows, which moves the end behind it.
            return len(circuit.data) if _acts_or_saves(circuit.data[number:]) else end
        if instruction.name not in _FINAL and not _is_of_aer(instruction):
            end = number + 1
    return end


def _acts_or_saves(instructions: Sequence[Any]) -> bool:
    return any(one.name not in _FINAL for one in instructions)


def _output(instruction: Any, circuit: Any) -> dict[str, Any]:
    """The output of a task that has what an instruction saves.

    Raises:
        QiskitError: the service does not compute it.
    """
    operation, name = instruction.operation, instruction.name
    if name not in _TYPES:
        raise QiskitError(f"{name!r} is not supported; there are {', '.join(sorted(_TYPES))}.")
    if operation._subtype not in _AVERAGED:  # noqa: SLF001 - Aer has no public name for it
        raise QiskitError(
            f"{name!r} is supported without `pershot`, `conditional` and `unnormalized`: values are exact, of no shots."
        )
    output: dict[str, Any] = {"type": _TYPES[name].value}
    if _TYPES[name] not in WHOLE:
        output["qubits"] = [circuit.find_bit(qubit).index for qubit in instruction.qubits]
    if _TYPES[name] is OutputType.EXPECTATION_VALUES:
        # The second coefficient of a label is that of the square, which the service computes itself.
        terms = {label: float(own) for label, (own, _) in operation.params if own}
        output["observables"] = [terms or {"I" * operation.num_qubits: 0.0}]
        output["variance"] = name == "save_expval_var"
    return output


def _saved(instruction: Any) -> SavedData:
    operation, name = instruction.operation, instruction.name
    label = _TYPES[name].value if operation.label == _LABEL_OF_METHOD else operation.label
    entries = list(map(int, operation.params)) if name.startswith("save_amplitudes") else []
    return SavedData(kind=name, label=label, entries=entries)


def _reject_in_blocks(circuit: Any) -> None:
    for instruction in circuit.data:
        if isinstance(instruction.operation, ControlFlowOp):
            for block in instruction.operation.blocks:
                if (found := next(filter(_is_of_aer, block.data), None)) is not None:
                    raise QiskitError(f"{found.name!r} is inside of {instruction.name!r}: save outside of it.")
                _reject_in_blocks(block)


def _is_of_aer(instruction: Any) -> bool:
    """Whether an instruction is one that only Aer has: to save the state, or to set it."""
    if not instruction.name.startswith(_PREFIXES):
        return False  # most are not, and reading the operation takes far longer
    return bool(instruction.operation.base_class.__module__.startswith(_MODULE))
