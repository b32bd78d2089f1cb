"""PennyLane's interface to a Ketline service: the device `ketline.simulator`."""

from ketline.pennylane.device import KetlineDevice

__all__ = ["KetlineDevice"]
