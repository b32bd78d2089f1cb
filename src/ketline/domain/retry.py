"""How often, and after which delays, a task is tried again."""

import random
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """When an attempt that ended without its program being at fault is followed by another.

    How many such attempts a task may spend is its own `max_attempts`; the policy limits those among them that ended
    with a crash. Attempts that an outage of the database ended cost nothing up to `max_excused` times: a program may be
    what stops the machine.

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
