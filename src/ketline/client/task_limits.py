"""How much fits into one task: adapters of libraries split and group circuits by it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ketline.domain.limits import MAX_SWEEP_POINTS

# Approximate length of a number in JSON, with its comma.
CHARACTERS_OF_A_NUMBER = 24
# Characters of an entry of counts besides the bits of the outcome.
CHARACTERS_OF_A_COUNT = 14
# A group of circuits is simulated one after another, so it is kept small: several slots take several groups of a job,
# and all circuits of a group take less than a second of the time limit of one task.
MAX_CIRCUITS = 50
MAX_OPERATIONS_BY_AMPLITUDES = 1 << 24
# Only this part of a limit is used for numbers and outcomes; the rest is for everything around them.
_DIVISOR = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskLimits:
    """The size of one task, in characters of JSON: of its inputs and of its result; and its most shots."""

    input_characters: int
    result_characters: int
    shots: int


def limits_of(description: Mapping[str, Any]) -> TaskLimits:
    """How much one task may send and return, and its most shots, from the description of the service's backend."""
    limits = description["limits"]
    return TaskLimits(
        input_characters=limits["max_program_bytes"] // _DIVISOR,
        result_characters=(limits["max_result_megabytes"] << 20) // _DIVISOR,
        shots=limits["max_shots"],
    )


def points_in_a_task(limits: TaskLimits, parameters: int, result_characters: float) -> int:
    """How many points fit into one task, if each has this many parameters and characters of its result."""
    by_inputs = limits.input_characters // max(1, parameters * CHARACTERS_OF_A_NUMBER)
    return int(max(1, min(MAX_SWEEP_POINTS, by_inputs, limits.result_characters // max(1, result_characters))))


def work_of(operations: int, qubits: int) -> int:
    """Operations by amplitudes of a circuit, which its simulation takes time for."""
    return int(operations << min(qubits, 64))


def portions(total: int, most: int) -> Iterator[slice]:
    """Slices of at most `most` items that cover `total` items."""
    return (slice(first, min(total, first + most)) for first in range(0, total, most))
