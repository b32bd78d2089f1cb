"""Amazon Braket's `LocalSimulator` as a device, for the adapter `braket`; it runs gates and final measurements."""

from collections import Counter
from typing import Any

from braket.devices import LocalSimulator
from braket.ir.openqasm import Program

from ketline.backends.devices.circuits import (
    FORMATS,
    TerminalCircuit,
    circuit_of,
    counts_of,
    shortened,
    terminal,
)
from ketline.domain.backends.backend_jobs import BackendDescription, BackendJob
from ketline.domain.errors import BackendFailed, BackendRefused, BackendResultInvalid, BackendUnavailable

# Qiskit's names of gates that Braket has with the same matrix, up to a global phase, and Braket's names of them.
_GATES = {
    "ccx": "ccnot",
    "cp": "cphaseshift",
    "cswap": "cswap",
    "cx": "cnot",
    "cy": "cy",
    "cz": "cz",
    "ecr": "ecr",
    "h": "h",
    "id": "i",
    "iswap": "iswap",
    "p": "phaseshift",
    "rx": "rx",
    "rxx": "xx",
    "ry": "ry",
    "ryy": "yy",
    "rz": "rz",
    "rzz": "zz",
    "s": "s",
    "sdg": "si",
    "swap": "swap",
    "sx": "v",
    "sxdg": "vi",
    "t": "t",
    "tdg": "ti",
    "x": "x",
    "y": "y",
    "z": "z",
}
_MAX_BOUND = 1 << 31


class BraketDevice:
    """The local simulator `name`: `default`, `braket_sv` or `braket_dm`."""

    def __init__(self, name: str) -> None:
        try:
            self._device = LocalSimulator(name)
        except ValueError as error:
            raise BackendUnavailable(f"Braket has no local simulator {name!r}.") from error
        self._name = name

    def describe(self) -> BackendDescription:
        return BackendDescription(
            name=f"braket-{self._name}",
            description=f"Amazon Braket's local simulator {self._device.name}",
            num_qubits=self._num_qubits(),
            gates=tuple(sorted(_GATES)),
            formats=FORMATS,
            max_shots=self._max_shots(),
        )

    def validate(self, job: BackendJob) -> None:
        most = self._max_shots()
        if most is not None and job.shots > most:
            raise BackendRefused(f"{job.shots} shots are more than this simulator's {most}.")
        self._translated(job)

    def run(self, job: BackendJob) -> dict[str, int]:
        circuit = self._translated(job)
        try:
            result = self._device.run(Program(source=_written(circuit)), shots=job.shots).result()
        except Exception as error:  # the simulator raises many kinds
            raise BackendFailed(f"Braket's simulator failed: {shortened(error)}") from error
        return counts_of(_outcomes(result, circuit), job, circuit.gates)

    def _translated(self, job: BackendJob) -> TerminalCircuit:
        """The circuit of a job with Braket's gates only."""
        circuit = circuit_of(job)
        if circuit.num_qubits > self._num_qubits():
            raise BackendRefused(
                f"The program has {circuit.num_qubits} qubits, and this simulator {self._num_qubits()}."
            )
        found = terminal(circuit)
        return found.translated(_GATES)

    def _num_qubits(self) -> int:
        return int(self._device.properties.paradigm.qubitCount)

    def _max_shots(self) -> int | None:
        most = int(self._device.properties.service.shotsRange[1])
        return most if most < _MAX_BOUND else None


def _written(circuit: TerminalCircuit) -> str:
    """The circuit in Braket's OpenQASM; each measured qubit is measured once, in the order of `circuit.qubits`."""
    lines = ["OPENQASM 3.0;", f"qubit[{circuit.gates.num_qubits}] q;", f"bit[{len(circuit.qubits)}] b;"]
    lines += circuit.gate_calls(_GATES)
    lines += [f"b[{number}] = measure q[{qubit}];" for number, qubit in enumerate(circuit.qubits)]
    return "\n".join(lines)


def _outcomes(result: Any, circuit: TerminalCircuit) -> Counter[int]:
    """Counts by outcome; a row of `measurements` is a shot, and its columns are `measured_qubits`."""
    columns = [int(qubit) for qubit in result.measured_qubits]
    if sorted(columns) != circuit.qubits:
        raise BackendResultInvalid("Braket's result has other qubits than were measured.")
    rows = Counter(tuple(int(bit) for bit in row) for row in result.measurements)
    found: Counter[int] = Counter()
    for row, count in rows.items():
        found[circuit.outcome(dict(zip(columns, row, strict=True)))] += count
    return found
