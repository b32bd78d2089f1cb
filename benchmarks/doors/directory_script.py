"""Runs a directory of programs with Aer, as a user would: `python -m benchmarks.doors.directory_script DIR`."""

import sys
from pathlib import Path

from qiskit import qasm3
from qiskit_aer import AerSimulator

from benchmarks.programs import SHOTS


def main(directory: Path) -> None:
    simulator = AerSimulator()
    for path in sorted(directory.glob("*.qasm")):
        circuit = qasm3.loads(path.read_text())
        print(path.name, simulator.run(circuit, shots=SHOTS).result().get_counts())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
