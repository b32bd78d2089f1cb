"""Write the place where a page of a list ends so that only the same list can be gone on with there."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from hashlib import sha256
from uuid import UUID

from ketline.api.responses.errors import HTTPProblem
from ketline.domain.lists import Position
from ketline.domain.task import TaskId

_CHECK_BYTES = 9


def write_cursor(position: Position, scope: str) -> str:
    """A cursor for the list that `scope` describes: its filters and its order."""
    place = f"{position.at.isoformat()} {position.task_id}"
    return urlsafe_b64encode(_check(place, scope) + place.encode()).decode().rstrip("=")


def read_cursor(cursor: str, scope: str) -> Position:
    """The position that was written.

    Raises:
        Refusal: it was not, or for another list.
    """
    try:
        text = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        check, place = text[:_CHECK_BYTES], text[_CHECK_BYTES:].decode("ascii")
        if check != _check(place, scope):
            raise HTTPProblem("unknown_cursor")
        at, task_id = place.split(" ")
        return Position(at=datetime.fromisoformat(at).astimezone(UTC), task_id=TaskId(UUID(task_id)))
    except (ValueError, OverflowError) as error:
        raise HTTPProblem("unknown_cursor") from error


def _check(place: str, scope: str) -> bytes:
    """Tells what is garbled or belongs elsewhere; nothing is gained by forging it."""
    return sha256(f"{scope}\n{place}".encode()).digest()[:_CHECK_BYTES]
