"""Writes programs as QIR, the intermediate representation of the QIR Alliance in LLVM."""

from ketline.execution.conversion.qir.gates import GATES
from ketline.execution.conversion.qir.writer import write_qir

__all__ = ["GATES", "write_qir"]
