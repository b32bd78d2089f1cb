"""Qiskit's classes of the gates in `GATE_TABLE`, for front ends and bindings that build circuits themselves."""

from collections.abc import Mapping
from typing import Any

from qiskit.circuit.library import get_standard_gate_name_mapping

from ketline.domain.circuits.gates import Gate
from ketline.domain.circuits.unitaries import IDENTITY

_INSTANCES: Mapping[str, Any] = get_standard_gate_name_mapping()


def class_of(gate: Gate) -> Any | None:
    """The class of a gate that a program's text can name; None for `id`."""
    return None if gate.unitary is IDENTITY else _INSTANCES[gate.qiskit_name].base_class


def kind_of(gate: Any) -> Any:
    """The argument of Qiskit's fast constructor of instructions for a standard gate or its class."""
    return gate._standard_gate  # noqa: SLF001
