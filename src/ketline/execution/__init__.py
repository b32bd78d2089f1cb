"""Runs programs in child processes that can be killed. Exports the parent's side, which never imports Qiskit."""

from ketline.execution.limits import ExecutionLimits
from ketline.execution.parent.runner import ChildRunnerFactory

__all__ = ["ChildRunnerFactory", "ExecutionLimits"]
