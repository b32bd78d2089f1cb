"""Qiskit's interfaces to a Ketline service: a provider with backends, a sampler, an estimator, and devices."""

from ketline.qiskit.backend import KetlineBackend, KetlineDevice
from ketline.qiskit.devices import device_target, export_device
from ketline.qiskit.estimator import KetlineEstimator
from ketline.qiskit.gradient import KetlineEstimatorGradient
from ketline.qiskit.job import KetlineJob, KetlinePrimitiveJob
from ketline.qiskit.provider import KetlineProvider
from ketline.qiskit.sampler import KetlineSampler

__all__ = [
    "KetlineBackend",
    "KetlineDevice",
    "KetlineEstimator",
    "KetlineEstimatorGradient",
    "KetlineJob",
    "KetlinePrimitiveJob",
    "KetlineProvider",
    "KetlineSampler",
    "device_target",
    "export_device",
]
