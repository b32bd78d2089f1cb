"""Prints the devices on which Aer can simulate: `python -m ketline.execution.simulators.devices`.

`execution/parent/gpu.py` runs it, because that process imports no Qiskit.
"""

from qiskit_aer import AerSimulator

if __name__ == "__main__":
    print(*AerSimulator().available_devices())
