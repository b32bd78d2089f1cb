"""Shows the circuit of a program: as characters, as SVG, as flat OpenQASM 3."""

from ketline.execution.drawing.forms import draw

__all__ = ["draw"]
