"""Transpiles programs for devices: their circuits on the qubits and in the gates of one."""

from ketline.execution.transpiling.device_programs import DevicePrograms
from ketline.execution.transpiling.drawn import drawn_program

__all__ = ["DevicePrograms", "drawn_program"]
