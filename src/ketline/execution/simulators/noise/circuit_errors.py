"""Which errors of a model a circuit has, on its own qubits."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from ketline.domain.devices.noise import NOISY_OPERATIONS
from ketline.domain.errors import ProgramUnsupported
from ketline.execution.circuit.idling import is_idling
from ketline.execution.circuit.operations import Step, blocks_of, steps_of
from ketline.execution.circuit.passes.lowered import Lowered
from ketline.execution.simulators.channels import Channel, Misreading, NoiseModel

# An operation by its name and its qubits.
Call = tuple[str, tuple[int, ...]]
_MAX_QUBITS = 2


def plain_call(step: Step) -> Call:
    """A step of a circuit without errors, by its name and its qubits."""
    return step[0], tuple(step[1])


class CircuitErrors:
    """The errors of the operations of a circuit, by name and qubits as the circuit numbers them."""

    def __init__(self, lowered: Lowered, model: NoiseModel) -> None:
        self._model = model
        self._lowered = lowered
        self.has_delays = model.has_delays
        self._calls = Counter(self._calls_in(lowered.steps, range(lowered.num_qubits)))

    @cached_property
    def channels(self) -> Mapping[Call, Channel]:
        """The channel of each operation that has one."""
        found = {call: self._channel(call) for call in self._calls}
        return {call: channel for call, channel in found.items() if channel is not None}

    def _channel(self, call: Call) -> Channel | None:
        name, operands = call
        return self._model.channel(name, tuple([self._lowered.kept_qubits[qubit] for qubit in operands]))

    @cached_property
    def misreadings(self) -> Mapping[int, Misreading]:
        """How each measured qubit is misread that is."""
        measured = [operands[0] for name, operands in self._calls if name == "measure"]
        found = {qubit: self._model.misreading(self._lowered.kept_qubits[qubit]) for qubit in measured}
        return {qubit: reading for qubit, reading in found.items() if reading is not None}

    @cached_property
    def kinds(self) -> frozenset[Channel]:
        """The channels, each once."""
        return frozenset(self.channels.values())

    @cached_property
    def occurrences(self) -> Sequence[tuple[Channel, int]]:
        """How often each channel occurs in the circuit; in a block, once."""
        found: Counter[Channel] = Counter()
        for call, channel in self.channels.items():
            found[channel] += self._calls[call]
        return list(found.items())

    def of_step(self, step: Step) -> Channel | None:
        """The channel of a step of the circuit, outside of blocks."""
        return self.channels.get(self.call_of(step))

    def call_of(self, step: Step) -> Call:
        """A step of the circuit as `channels` has it; a delay has a name of its own."""
        return self._name_of(step), tuple(step[1])

    def _name_of(self, step: Step) -> str:
        """The name by which an operation has errors: that of a delay says how long it is."""
        label = step[4].label if self.has_delays and step[0] == "id" and hasattr(step[4], "label") else None
        return label if label is not None and is_idling(label) else step[0]

    def _calls_in(self, steps: Sequence[Step], qubits: Sequence[int]) -> Iterator[Call]:
        """The operations, those of blocks too; `qubits` are the circuit's for those of the steps."""
        for step in steps:
            operands = [qubits[operand] for operand in step[1]]
            blocks = blocks_of(step)
            if not blocks:
                yield self._name_of(step), tuple(operands)
            for block in blocks:
                yield from self._calls_in(steps_of(block), operands)

    @property
    def are_pauli(self) -> bool:
        """Whether all errors are Pauli operators with probabilities."""
        return all(channel.pauli_probabilities is not None for channel in self.kinds)

    @property
    def keep_stabilizers(self) -> bool:
        """Whether all errors are Pauli operators and resets."""
        return all(channel.keeps_stabilizers for channel in self.kinds)

    @property
    def are_repeated(self) -> bool:
        """Whether operations of the circuit have errors, other than of readout, and it has a `while` loop."""
        return bool(self._lowered.operations["while_loop"] and self.channels)

    def of_name(self, name: str) -> Channel | None:
        """The channel of all operations of a name, if it is the same on all qubits that the circuit uses."""
        found = {self.channels.get(call) for call in self._calls if call[0] == name}
        return found.pop() if len(found) == 1 else None

    def require_widths(self) -> None:
        """Reject a unitary on many qubits, which has no definition in gates with errors, and errors on too few of two.

        Raises:
            ProgramUnsupported: the circuit has such a unitary.
            NoiseInvalid: an error acts on another number of qubits than its operation.
        """
        for name, operands in self._calls:
            if name in NOISY_OPERATIONS and len(operands) > _MAX_QUBITS:
                raise ProgramUnsupported(
                    f"'{name}' on {len(operands)} qubits has no errors: with noise, write it in gates on one or two"
                )
            self._channel((name, operands))
