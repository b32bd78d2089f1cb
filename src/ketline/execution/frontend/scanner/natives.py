"""Finds the gates of a program's own that simulators have as few gates; `statements.py` calls it for calls of gates."""

from collections.abc import Hashable, Sequence

from qiskit.circuit import CircuitInstruction, Qubit

from ketline.execution.circuit.operations import Step
from ketline.execution.circuit.passes.recognition import MIN_CALLS, MIN_OPERATIONS, Recogniser
from ketline.execution.frontend.scanner.constants import Number, Value
from ketline.execution.frontend.scanner.gates import DefinedGate, Expansion, Gate, Qubits, expand


class Natives:
    """Those of one program, with what recognising more may cost; none with `recognise` False."""

    def __init__(self, text: str, *, recognise: bool = True) -> None:
        self._text = text
        self._recognise = recognise
        self._calls: dict[str, int] = {}
        self._recogniser = Recogniser()
        self._found: dict[tuple[str, tuple[Number, ...]], tuple[Sequence[Step], float] | None] = {}

    def expand(self, name: str, gate: Gate, arguments: Sequence[Value], applications: Sequence[Qubits]) -> Expansion:
        """The operations of calls, as `expand` gives them, or the few that simulators have for each call."""
        native = None
        if isinstance(gate, DefinedGate) and gate.size >= MIN_OPERATIONS and self._is_often_called(name):
            numbers = [argument for argument in arguments if not callable(argument)]
            native = self._native(name, gate, numbers) if len(numbers) == len(arguments) else None
        if native is None:
            return expand(gate, arguments, applications)
        found, phase = native
        steps: list[Step] = [
            (name, tuple([qubits[operand] for operand in operands]), (), parameters, instruction)
            for qubits in applications
            for name, operands, _, parameters, instruction in found
        ]
        return len(steps), steps, [phase] * len(applications)

    def _is_often_called(self, name: str) -> bool:
        return self._recognise and self._calls_of(name) >= MIN_CALLS

    def _calls_of(self, name: str) -> int:
        """About how many calls the program has; counted once, because the text may be long."""
        if name not in self._calls:
            self._calls[name] = self._text.count(name) - 1
        return self._calls[name]

    def _native(self, name: str, gate: DefinedGate, arguments: Sequence[Number]) -> tuple[Sequence[Step], float] | None:
        key = (name, tuple(arguments))
        if key not in self._found:
            self._found[key] = self._recognised(key, gate, arguments)
        return self._found[key]

    def _recognised(
        self, key: Hashable, gate: DefinedGate, arguments: Sequence[Number]
    ) -> tuple[Sequence[Step], float] | None:
        all_qubits = tuple(range(gate.qubits))
        found = self._recogniser.of(key, lambda: expand(gate, arguments, [all_qubits])[1], gate.qubits)
        if found is None:
            return None
        _, _, phases = expand(gate, arguments, [all_qubits])
        steps: list[Step] = []
        for native, operands in found.gates:
            instruction = CircuitInstruction(native, [Qubit() for _ in operands])
            steps.append((native.name, operands, (), tuple(map(float, native.params)), instruction))
        return steps, found.phase + sum(map(float, phases))
