"""Estimates expectation values from shots, as a device gives them; `child/runs/expectation_values.py` calls it."""

from ketline.execution.simulators.estimation.estimate import Estimator
from ketline.execution.simulators.estimation.plan import planned_run

__all__ = ["Estimator", "planned_run"]
