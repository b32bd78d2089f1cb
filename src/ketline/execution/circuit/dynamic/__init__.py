"""Lowers the classical operations of Qiskit's circuits to single bits: conditions, variables, loops."""

from ketline.execution.circuit.dynamic.rewrite import Dynamic, is_dynamic, lower_dynamic

__all__ = ["Dynamic", "is_dynamic", "lower_dynamic"]
