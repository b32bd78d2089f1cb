"""Results of tasks as the client reads them."""

from typing import Any

import pytest

from ketline.client.decoding import read_task

TASK_ID = "01890000-0000-7000-8000-000000000001"
READOUT = {"quasi_probabilities": {"0": 1.0}, "probabilities": {"0": 1.0}, "overhead": 1.1}


def task(result: dict[str, Any]) -> dict[str, Any]:
    moment = "2026-01-02T03:04:05Z"
    return {
        "task_id": TASK_ID,
        "status": "completed",
        "submitted_at": moment,
        "completed_at": moment,
        "correlation_id": "c",
        "shots": 10,
        "result": {**result, "success": True},
    }


@pytest.mark.parametrize(
    ("counts", "readout"), [({"0": 10}, READOUT), ([{"0": 10}, {"0": 10}], [READOUT, READOUT])], ids=["one", "sweep"]
)
def test_corrected_counts_are_read(counts: Any, readout: Any) -> None:
    found = read_task(task({"counts": counts, "shots": 10, "mitigation": {"readout": readout}})).result
    assert found is not None
    assert found.mitigation == {"readout": readout}


def test_standard_errors_of_gradients_are_read() -> None:
    result = {
        "expectation_values": [0.5],
        "standard_errors": [0.1],
        "gradients": [{"a": 0.2}],
        "gradient_standard_errors": [{"a": 0.05}],
    }
    found = read_task(task(result)).result
    assert found is not None
    assert (found.gradients, found.gradient_standard_errors) == ([{"a": 0.2}], [{"a": 0.05}])
