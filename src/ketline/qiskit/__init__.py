"""Ketline for Qiskit: a provider with a backend, and primitives, so that a script changes one line."""

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
