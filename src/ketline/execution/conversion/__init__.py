"""Converts programs into other formats: flat OpenQASM 3, OpenQASM 2, QPY, QIR."""

from ketline.execution.conversion.conversion import convert

__all__ = ["convert"]
