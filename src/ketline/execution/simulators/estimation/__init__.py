"""Estimates expectation values from shots, as a device gives them. Used by `child/runs/expectation_values.py`."""

from ketline.execution.simulators.estimation.calibration import Calibration
from ketline.execution.simulators.estimation.corrected_counts import CorrectedBits
from ketline.execution.simulators.estimation.estimate import Estimator
from ketline.execution.simulators.estimation.extrapolation import Limit, extrapolated
from ketline.execution.simulators.estimation.folding import folded_programs
from ketline.execution.simulators.estimation.plan import planned_run
from ketline.execution.simulators.estimation.reading_errors import with_calibration

__all__ = [
    "Calibration",
    "CorrectedBits",
    "Estimator",
    "Limit",
    "extrapolated",
    "folded_programs",
    "planned_run",
    "with_calibration",
]
