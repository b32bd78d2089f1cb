"""Devices: blocking code of vendors' libraries, which adapters run in separate processes."""

from ketline.backends.devices.device import LocalDevice, RemoteDevice

__all__ = ["LocalDevice", "RemoteDevice"]
