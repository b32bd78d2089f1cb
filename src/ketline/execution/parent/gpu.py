"""Checks before a worker starts that Aer can simulate on a GPU. Used by `runtime/worker.py`."""

import subprocess
import sys

from ketline.domain.errors import ConfigurationInvalid

_SECONDS = 120


def require_gpu() -> None:
    """Check in a separate process that Aer finds a GPU.

    Raises:
        ConfigurationInvalid: Aer finds none, or the process does not start.
    """
    devices = _devices()
    if "GPU" in devices:
        return
    raise ConfigurationInvalid(
        f"KETLINE_ENGINES names aer_gpu, but Aer finds no GPU (its devices: {', '.join(devices) or 'none'}). Install "
        "qiskit-aer-gpu instead of qiskit-aer on a machine with an NVIDIA GPU and its driver, or leave aer_gpu out."
    )


def _devices() -> list[str]:
    command = [sys.executable, "-m", "ketline.execution.simulators.devices"]
    try:
        found = subprocess.run(  # noqa: S603 - our own interpreter and module
            command, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return []
    return found.stdout.split()
