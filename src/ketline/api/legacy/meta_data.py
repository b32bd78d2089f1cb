"""The `meta_data` of a task as clients of older services read it: their own values, and facts about the program.

`api/tasks/views.py` shows it.
"""

from collections.abc import Mapping
from typing import cast

from pydantic import JsonValue

from ketline.domain.circuits.gates import GATE_TABLE
from ketline.domain.results.result import Profile
from ketline.domain.tasks.task import Task

_GATES = frozenset(gate.qiskit_name for gate in GATE_TABLE)
# Values that the service fills in: null until the program has run. A client's own values of these names are dropped.
FILLED_IN = ("num_qubits", "depth", "gate_count", "estimated_runtime")


def view_meta_data(task: Task) -> dict[str, JsonValue]:
    """The metadata of a task with the number of qubits, the depth, the number of gates and the runtime in seconds.

    The runtime is the time that the program took to be read and simulated. Measurements, resets, barriers and control
    flow are no gates; gates in the blocks of control flow are not counted.
    """
    known = {} if task.profile is None else _facts(task.profile)
    return {**cast("Mapping[str, JsonValue]", task.labels.metadata), **dict.fromkeys(FILLED_IN), **known}


def _facts(profile: Profile) -> Mapping[str, JsonValue]:
    return {
        "num_qubits": profile.qubits,
        "depth": profile.depth,
        "gate_count": sum(number for name, number in profile.operations.items() if name in _GATES),
        "estimated_runtime": profile.parsing_seconds + profile.simulating_seconds,
    }
