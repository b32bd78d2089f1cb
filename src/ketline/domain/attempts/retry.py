"""The policy of retries: how often, and after which delays, a task is tried again.

`runtime/database.py` builds it from the settings; `db/tasks/retry.py` applies it.
"""

import random
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Decides whether an attempt that failed through no fault of its program is followed by another.

    The task's own `max_attempts` limits the number of such attempts; the policy limits those among them that ended with
    a crash. Attempts that ended because of an outage of the database are free up to `max_excused` times: the program
    may be the cause of the outages.

    The delay after the first such attempt is `delay`; it doubles with each further one, `doublings` times at most, and
    is multiplied by a random factor between the two of `jitter`, so that tasks that failed together do not return
    together.
    """

    delay: timedelta = timedelta(seconds=5)
    doublings: int = 6
    jitter: tuple[float, float] = (0.75, 1.25)
    max_crashes: int = 3
    max_excused: int = 10

    def random_delay_seconds(self) -> float:
        """The delay after the first attempt, with a new random factor at each call."""
        return self.delay.total_seconds() * random.uniform(*self.jitter)  # noqa: S311 - spreads load
