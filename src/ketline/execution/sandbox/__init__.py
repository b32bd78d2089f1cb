"""Confines a simulator process before it reads a program; imports only the standard library."""

from ketline.execution.sandbox.confine import confine, protections
from ketline.execution.sandbox.identity import hide_process

__all__ = ["confine", "hide_process", "protections"]
