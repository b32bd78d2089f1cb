"""Qiskit's interfaces to a Ketline service: a provider with a backend, a sampler and an estimator."""

from ketline.qiskit.backend import KetlineBackend, KetlineProvider
from ketline.qiskit.estimator import KetlineEstimator
from ketline.qiskit.job import KetlineJob, KetlinePrimitiveJob
from ketline.qiskit.sampler import KetlineSampler

__all__ = [
    "KetlineBackend",
    "KetlineEstimator",
    "KetlineJob",
    "KetlinePrimitiveJob",
    "KetlineProvider",
    "KetlineSampler",
]
