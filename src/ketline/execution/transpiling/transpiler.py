"""Transpiles circuits with Qiskit onto the qubits and into the gates of one device."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from qiskit.circuit import QuantumCircuit
from qiskit.exceptions import QiskitError
from qiskit.transpiler import generate_preset_pass_manager
from qiskit.transpiler.passes import VF2Layout, VF2PostLayout

from ketline.device_target import target_of_device
from ketline.domain.devices.device import Device
from ketline.domain.devices.device_run import DeviceRun, Placement
from ketline.domain.errors import DeviceMismatch
from ketline.execution.circuit.operations import LOOPS_AND_BRANCHES, NO_EFFECT
from ketline.execution.circuit.passes.lowered import NO_GATES
from ketline.execution.transpiling.native_gates import NativeGateWriter
from ketline.execution.transpiling.plugins import use_own_plugins

_ANYWHERE = NO_GATES - {"reset"} | NO_EFFECT
_JUMPS = frozenset({"break_loop", "continue_loop"})
_KEPT_PASS_MANAGERS = 8
# At level 3 Qiskit takes 30 million steps before it routes: 5 to 15 us each on 2,000 qubits. All layouts of 75 random
# circuits that have one were found within a million, those on up to 115 qubits within 30,000.
MAX_SEARCH_STEPS = 1_000_000
# After routing it takes up to 30 million more for qubits with smaller errors. Twenty random circuits on lattices of 115
# and 121 qubits had the same errors with this bound; ten on 127 qubits with 400 couplings 0.03 % larger ones than with
# two million.
MAX_REFINEMENT_STEPS = 250_000
_MAX_REASON_CHARACTERS = 200


@dataclass(frozen=True, slots=True, eq=False)
class Transpiled:
    """A circuit on all qubits of a device, by their numbers, with the bits of the program, and its placement.

    `dt_ns` is the unit of its delays in `dt`, if the device has one. `gates` writes further gates for the device.
    """

    circuit: QuantumCircuit
    placement: Placement
    dt_ns: float | None
    gates: NativeGateWriter


class Transpiler:
    """Transpiles for one device. The same circuit, level, seed and layout give the same circuit."""

    def __init__(self, device: Device) -> None:
        use_own_plugins()
        self._device = device
        self._target = target_of_device(device)
        self._gates = NativeGateWriter(device, self._target)
        self._pass_manager = lru_cache(_KEPT_PASS_MANAGERS)(self._new_pass_manager)

    def transpiled(self, circuit: Any, run: DeviceRun, *, pinned: bool = False) -> Transpiled:
        """A circuit of standard gates on the qubits and in the gates of the device.

        If it is `pinned`, its qubits stay where the layout of the run places them, as physical qubits do in OpenQASM 3.

        Raises:
            DeviceMismatch: the circuit does not fit the device, or the device lacks an operation.
        """
        self._require_room(circuit.num_qubits, run)
        # Without routing the transpiler leaves no swap out either. Qiskit's routing moves qubits back at the end of a
        # loop's body, which `break` and `continue` leave before.
        jumps = leaves_loops(circuit)
        routing = "none" if pinned or jumps else None
        pass_manager = self._pass_manager(run.optimization_level, run.transpiler_seed, run.initial_layout, routing)
        with self._failures(pinned=pinned, jumps=jumps), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = pass_manager.run(circuit)
        self._require_gates(found)
        return Transpiled(found, self._placement(found, run), self._device.dt_ns, self._gates)

    @contextmanager
    def _failures(self, *, pinned: bool, jumps: bool) -> Iterator[None]:
        try:
            yield
        except QiskitError as error:
            where = " without moving qubits, which 'break' and 'continue' do not allow" if jumps else ""
            where = " without moving the physical qubits that it names" if pinned else where
            raise self._mismatch(f"cannot be transpiled{where}: {_reason(error)}") from error
        except BaseException as error:
            # Rust's panics are not subclasses of `Exception`.
            if type(error).__name__ != "PanicException":
                raise
            raise self._mismatch("cannot be transpiled: Qiskit's transpiler fails on it") from None

    def _new_pass_manager(self, level: int, seed: int, layout: tuple[int, ...] | None, routing: str | None) -> Any:
        made = generate_preset_pass_manager(
            optimization_level=level,
            target=self._target,
            initial_layout=None if layout is None else list(layout),
            routing_method=routing,
            seed_transpiler=seed,
        )
        for name in made.expanded_stages:
            if (stage := getattr(made, name, None)) is not None:
                bound_search(stage.to_flow_controller())
        return made

    def _require_room(self, qubits: int, run: DeviceRun) -> None:
        most = self._device.num_qubits
        if qubits > most:
            raise self._mismatch(f"has {qubits} qubits, and the device {most}: choose a larger one")
        if run.initial_layout is not None and (why := _misfit(run.initial_layout, qubits, most)):
            raise self._mismatch(f"does not fit its initial_layout, {why}")

    def _require_gates(self, circuit: Any) -> None:
        """Require that the device has every operation, because any other would be simulated without errors."""
        for name, qubits in operations_in(circuit, range(circuit.num_qubits)):
            if name not in _ANYWHERE and not self._gates.has_gate(name, qubits):
                where = ", ".join(map(str, qubits))
                raise self._mismatch(f"needs '{name}' on {where}, which the device does not have")

    def _placement(self, circuit: Any, run: DeviceRun) -> Placement:
        calls = operations_in(circuit, range(circuit.num_qubits))
        return Placement(
            device=self._device.name,
            digest=self._device.digest,
            optimization_level=run.optimization_level,
            layout=circuit.layout.initial_index_layout(filter_ancillas=True),
            final_layout=circuit.layout.final_index_layout(filter_ancillas=True),
            depth=circuit.depth(),
            two_qubit_gates=sum(name not in _ANYWHERE and len(qubits) > 1 for name, qubits in calls),
        )

    def _mismatch(self, what: str) -> DeviceMismatch:
        return DeviceMismatch(f"for the device '{self._device.name}' this program {what}")


def bound_search(stage: Any) -> None:
    """Bound the layout searches in a stage of a pass manager: `VF2Layout` ends after `MAX_SEARCH_STEPS`.

    `VF2PostLayout`, which moves no qubit but the whole circuit, ends after `MAX_REFINEMENT_STEPS`.
    """
    for task in stage.tasks:
        if hasattr(task, "tasks"):
            bound_search(task)
        elif isinstance(task, VF2Layout) and task.call_limit is not None:
            first, further = task.call_limit
            task.call_limit = (min(first, MAX_SEARCH_STEPS), further)
        elif isinstance(task, VF2PostLayout) and task.call_limit is not None:
            task.call_limit = min(task.call_limit, MAX_REFINEMENT_STEPS)


def leaves_loops(circuit: Any) -> bool:
    """Whether a circuit or one of its blocks contains a `break` or `continue`."""
    return any(
        instruction.name in _JUMPS
        or (instruction.is_control_flow() and any(map(leaves_loops, instruction.operation.blocks)))
        for instruction in circuit.data
    )


def _misfit(layout: Sequence[int], qubits: int, most: int) -> str:
    """Why a layout does not place `qubits` qubits on a device with `most`; empty if the layout is valid."""
    if len(layout) != qubits:
        numbers = f"{_counted(len(layout), 'entry', 'entries')} for {_counted(qubits, 'qubit', 'qubits')}"
        return f"which has {numbers}: give one qubit of the device for each qubit of the program, in order"
    first: dict[int, int] = {}
    for entry, qubit in enumerate(layout):
        if not 0 <= qubit < most:
            return f"whose entry {entry} is {qubit}: choose one of the device's qubits, 0 to {most - 1}"
        if qubit in first:
            return f"whose entries {first[qubit]} and {entry} are both {qubit}: choose another qubit for one of them"
        first[qubit] = entry
    return ""


def _counted(number: int, one: str, several: str) -> str:
    return f"{number} {one if number == 1 else several}"


def operations_in(circuit: Any, qubits: Sequence[int]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The operations by name and qubits, those of blocks too, each once; `qubits` are the numbers of the circuit's."""
    numbers: Mapping[Any, int] = dict(zip(circuit.qubits, qubits, strict=True))
    for instruction in circuit.data:
        operands = tuple([numbers[qubit] for qubit in instruction.qubits])
        if instruction.name not in LOOPS_AND_BRANCHES:
            yield instruction.name, operands
            continue
        for block in instruction.operation.blocks:
            yield from operations_in(block, operands)


def _reason(error: QiskitError) -> str:
    text = " ".join(str(error.message).split())
    return text if len(text) <= _MAX_REASON_CHARACTERS else f"{text[: _MAX_REASON_CHARACTERS - 1]}…"
