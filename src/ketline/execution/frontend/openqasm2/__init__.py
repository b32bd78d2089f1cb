"""Reads OpenQASM 2 through Qiskit's reader; for the child process only."""

from ketline.execution.frontend.openqasm2.gates import is_genuine
from ketline.execution.frontend.openqasm2.reader import (
    place_of_operation,
    read_circuit,
    reject_inputs,
    require_measurement,
)

__all__ = ["is_genuine", "place_of_operation", "read_circuit", "reject_inputs", "require_measurement"]
