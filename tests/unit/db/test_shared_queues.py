"""How long a queue counts as shared after a message was used for another task than its own."""

import pytest

from ketline.db.tasks.shared_queues import LOST_SECONDS, MEMORY_SECONDS, SharedQueues
from ketline.domain.tasks.queues import CONVERSIONS, SIMULATIONS
from ketline.domain.tasks.task_ids import TaskIds

new_id = TaskIds()


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


def test_tasks_that_lost_their_messages_are_given_once_after_a_second_with_those_of_half_a_second() -> None:
    seconds = 100.0
    shared, (first, second, third) = SharedQueues(clock=lambda: seconds), (new_id() for _ in range(3))
    for task_id in (first, second):
        shared.note(SIMULATIONS, lost=task_id)
        with shared.overtaking(SIMULATIONS) as overtaking:
            assert overtaking == []
        seconds += LOST_SECONDS
    shared.note(SIMULATIONS, lost=third)
    with shared.overtaking(CONVERSIONS) as overtaking:
        assert overtaking == []
    with shared.overtaking(SIMULATIONS) as overtaking:
        assert overtaking == [first, second]
    with shared.overtaking(SIMULATIONS) as overtaking:
        assert overtaking == []


def test_queue_is_shared_until_the_tasks_that_lost_their_messages_overtake() -> None:
    seconds = 100.0
    shared = SharedQueues(clock=lambda: seconds)
    shared.note(SIMULATIONS, lost=new_id())
    seconds += 10 * MEMORY_SECONDS
    assert SIMULATIONS in shared
    with shared.overtaking(SIMULATIONS):
        pass
    assert SIMULATIONS not in shared


def test_tasks_that_could_not_be_let_overtake_are_given_again_in_order() -> None:
    seconds = 100.0
    shared, task_ids = SharedQueues(clock=lambda: seconds), [new_id() for _ in range(3)]
    for task_id in task_ids:
        shared.note(SIMULATIONS, lost=task_id)
    seconds += MEMORY_SECONDS
    with pytest.raises(ConnectionError), shared.overtaking(SIMULATIONS):
        raise ConnectionError
    with shared.overtaking(SIMULATIONS) as overtaking:
        assert overtaking == task_ids
