"""Generates ids for submitted tasks, which grow in the order of creation. Used by the service of submissions."""

import secrets
import time
from dataclasses import dataclass
from uuid import UUID

from ketline.domain.ids import TaskId


@dataclass(slots=True)
class TaskIds:
    """Generates ids that grow, so that tasks with the same submission time, as in a batch, have an order.

    The random bits cannot be predicted from other ids. The counter tells how many ids were made before in the same
    millisecond, so each project has a generator of its own.

    Source: RFC 9562, section 5.7 (version 7) with method 1 of 6.2: milliseconds since 1970, a counter in `rand_a`.
    """

    _last: int = 0

    def __call__(self) -> TaskId:
        self._last = max(self._last + 1, (time.time_ns() // 1_000_000) << 12)
        milliseconds, counter = self._last >> 12, self._last & 0xFFF
        random_bits = secrets.randbits(62)
        return TaskId(UUID(int=milliseconds << 80 | 0x7 << 76 | counter << 64 | 0b10 << 62 | random_bits))
