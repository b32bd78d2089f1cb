"""Generates ids of tasks that grow in the order of creation."""

import random
import time
from dataclasses import dataclass
from uuid import UUID

from ketline.domain.task import TaskId


@dataclass(slots=True)
class TaskIds:
    """Generates ids that grow, so that tasks with the same submission time, as in a batch, have an order.

    Source: RFC 9562, section 5.7 (version 7) with method 1 of 6.2: milliseconds since 1970, a counter in `rand_a`.
    """

    _last: int = 0

    def __call__(self) -> TaskId:
        self._last = max(self._last + 1, (time.time_ns() // 1_000_000) << 12)
        milliseconds, counter = self._last >> 12, self._last & 0xFFF
        chance = random.getrandbits(62)
        return TaskId(UUID(int=milliseconds << 80 | 0x7 << 76 | counter << 64 | 0b10 << 62 | chance))
