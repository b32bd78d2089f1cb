"""Runs programs in killable child processes. The parent's side is exported here and never imports Qiskit."""

from ketline.execution.limits import ExecutionLimits
from ketline.execution.parent.runner import ChildRunnerFactory

__all__ = ["ChildRunnerFactory", "ExecutionLimits"]
