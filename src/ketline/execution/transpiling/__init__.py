"""Transpiles programs for devices: onto the qubits and into the gates of a device."""

from ketline.execution.transpiling.device_programs import DevicePrograms
from ketline.execution.transpiling.drawn import drawn_program

__all__ = ["DevicePrograms", "drawn_program"]
