"""A receiver of messages about ended tasks, which rejects some at first, and what arrived there."""

from collections import Counter
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random

from tests.chaos.run.ledger import Acknowledgement
from tests.chaos.verdict.records import Message
from tests.receivers import ACCEPTED, Received, answer, receiving

# One task in so many has a callback.
CALLED_BACK = 4
REJECTED_SHARE = 0.2


@dataclass(slots=True)
class Callbacks:
    """The messages that were accepted; some are rejected once before."""

    rng: Random
    url: str = ""
    accepted: list[Message] = field(default_factory=list)
    _rejected: Counter[str] = field(default_factory=Counter)

    def respond(self, received: Received) -> bytes:
        """Accept a message, or reject its first attempt."""
        if not self._rejected[received.message_id] and self.rng.random() < REJECTED_SHARE:
            self._rejected[received.message_id] += 1
            return answer(503)
        message = received.json()
        data = message["data"]
        self.accepted.append(Message(task_id=data["task_id"], status=data["status"], message_id=received.message_id))
        return ACCEPTED

    def missing(self, acknowledged: Collection[Acknowledgement]) -> set[str]:
        """The acknowledged tasks with a callback about which nothing has arrived."""
        called = {promise.task_id for promise in acknowledged if is_called_back(promise.number)}
        return called - {message.task_id for message in self.accepted}


def is_called_back(number: int) -> bool:
    """Whether the task of this number has a callback."""
    return number % CALLED_BACK == 0


@asynccontextmanager
async def open_callbacks(seed: int) -> AsyncIterator[Callbacks]:
    """The receiver, while the context is open."""
    callbacks = Callbacks(Random(f"callbacks-{seed}"))
    async with receiving(callbacks.respond) as receiver:
        callbacks.url = receiver.url
        yield callbacks
