"""The public functions that convert circuits of other libraries; a library is imported when it is needed.

`ketline.client` exports them, and calls `convert` for each program that is not text.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ketline.client.convert.program import ConvertedProgram
from ketline.client.errors import LibraryMissing


def from_qiskit(circuit: Any, *, with_phase: bool = False, with_delays: bool = False) -> ConvertedProgram:
    """Convert a `QuantumCircuit`: to OpenQASM 3 if that is exact, otherwise to QPY.

    Exact is what has the same counts; `with_phase`, also the same states, with their global phase. `with_delays` keeps
    delays, in which qubits of a device relax; they have no other effect.

    Raises:
        TypeError: it is no circuit of Qiskit.
        LibraryMissing: Qiskit is not installed.
    """
    with _needs("Qiskit", "qiskit"):
        from ketline.client.convert import qiskit  # the client must not depend on it
    return qiskit.program_of(
        _checked(circuit, "qiskit", "QuantumCircuit"), with_phase=with_phase, with_delays=with_delays
    )


def from_cirq(circuit: Any, *, qubit_order: Any = None) -> ConvertedProgram:
    """Convert a `cirq.Circuit` or `FrozenCircuit`; its qubits come in `qubit_order`, or sorted as Cirq sorts them.

    Raises:
        CircuitNotConvertible: an operation is not supported: noise, qudits, conditions on formulas.
        TypeError: it is no circuit of Cirq.
        LibraryMissing: Cirq is not installed.
    """
    with _needs("Cirq", "cirq-core"):
        from ketline.client.convert import cirq  # the client must not depend on it
    return cirq.program_of(_checked(circuit, "cirq", "AbstractCircuit"), qubit_order)


def from_braket(circuit: Any) -> ConvertedProgram:
    """Convert a `braket.circuits.Circuit`; without measurements, all its qubits are measured at the end, as by Braket.

    Raises:
        CircuitNotConvertible: an instruction or a result type is not supported: noise, pulses, expectation values.
        TypeError: it is no circuit of Braket.
        LibraryMissing: the Amazon Braket SDK is not installed.
    """
    with _needs("the Amazon Braket SDK", "amazon-braket-sdk"):
        from ketline.client.convert import braket  # the client must not depend on it
    return braket.program_of(_checked(circuit, "braket", "Circuit"))


def from_pennylane(circuit: Any, *arguments: Any, **keywords: Any) -> ConvertedProgram:
    """Convert a `QuantumScript`, a tape, or a QNode, which is called with the given arguments to have its operations.

    Raises:
        CircuitNotConvertible: an operation or a measurement is not supported: channels, expectation values.
        TypeError: it is neither a tape nor a QNode.
        LibraryMissing: PennyLane is not installed.
    """
    with _needs("PennyLane", "pennylane"):
        from ketline.client.convert import pennylane  # the client must not depend on it
    return pennylane.program_of(_checked(circuit, "pennylane", "QuantumScript", "QNode"), arguments, keywords)


def from_pytket(circuit: Any) -> ConvertedProgram:
    """Convert a `pytket.Circuit`; its registers of qubits and bits keep their names.

    Raises:
        CircuitNotConvertible: an operation is not supported.
        TypeError: it is no circuit of pytket.
        LibraryMissing: pytket is not installed.
    """
    with _needs("pytket", "pytket"):
        from ketline.client.convert import pytket  # the client must not depend on it
    return pytket.program_of(_checked(circuit, "pytket", "Circuit"))


_LIBRARIES: Mapping[str, tuple[Callable[[Any], ConvertedProgram], set[str]]] = {
    "qiskit": (from_qiskit, {"QuantumCircuit"}),
    "cirq": (from_cirq, {"AbstractCircuit"}),
    "braket": (from_braket, {"Circuit"}),
    "pennylane": (from_pennylane, {"QuantumScript", "QNode"}),
    "pytket": (from_pytket, {"Circuit"}),
}


def convert(circuit: Any, *, with_phase: bool = False, with_delays: bool = False) -> ConvertedProgram:
    """Convert a circuit of Qiskit, Cirq, Braket, PennyLane or pytket, whichever it is.

    `with_phase` keeps the global phase of one of Qiskit's; those of other libraries may differ by it. `with_delays`
    keeps delays of one of Qiskit's.

    Raises:
        CircuitNotConvertible: a part of it is not supported.
        TypeError: it is no circuit of these libraries.
    """
    if (with_phase or with_delays) and _is_of(circuit, "qiskit", {"QuantumCircuit"}):
        return from_qiskit(circuit, with_phase=with_phase, with_delays=with_delays)
    for library, (converter, names) in _LIBRARIES.items():
        if _is_of(circuit, library, names):
            return converter(circuit)
    raise TypeError(
        "A program is OpenQASM text, or a circuit of Qiskit, Cirq, Braket, PennyLane or pytket, not "
        f"{type(circuit).__name__}."
    )


def _checked(circuit: Any, library: str, *names: str) -> Any:
    if not _is_of(circuit, library, set(names)):
        raise TypeError(f"Expected {' or '.join(names)} of {library}, not {type(circuit).__name__}.")
    return circuit


def _is_of(circuit: Any, library: str, names: set[str]) -> bool:
    """Whether its class, or one that its class is derived from, has one of these names in the library."""
    return any(
        kind.__name__ in names and kind.__module__.partition(".")[0] == library for kind in type(circuit).__mro__
    )


@contextmanager
def _needs(library: str, package: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise LibraryMissing(f"Converting circuits of {library} needs it installed: pip install {package}") from error
