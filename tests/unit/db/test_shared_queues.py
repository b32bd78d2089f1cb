"""How long a queue counts as shared after a message was used for another task than its own."""

from ketline.db.tasks.shared_queues import MEMORY_SECONDS, SharedQueues
from ketline.domain.queues import CONVERSIONS, SIMULATIONS


def test_queue_is_shared_for_a_second_after_it_was_noted() -> None:
    seconds = 100.0
    shared = SharedQueues(clock=lambda: seconds)
    assert SIMULATIONS not in shared
    shared.note(SIMULATIONS)
    seconds += MEMORY_SECONDS - 0.01
    assert SIMULATIONS in shared
    seconds += 0.02
    assert SIMULATIONS not in shared


def test_queues_are_noted_apart() -> None:
    shared = SharedQueues()
    shared.note(CONVERSIONS)
    assert CONVERSIONS in shared
    assert SIMULATIONS not in shared
