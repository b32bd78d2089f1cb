"""Cursors of task lists: encode the position after a page, valid only for a list with the same filters."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from hashlib import sha256
from uuid import UUID

from ketline.api.responses.errors import HTTPProblem
from ketline.domain.ids import TaskId
from ketline.domain.tasks.lists import Position

_CHECK_BYTES = 9


def write_cursor(position: Position, scope: str) -> str:
    """Encode a position in the list that `scope` describes by its filters and order."""
    encoded = f"{position.at.isoformat()} {position.task_id}"
    return urlsafe_b64encode(_check(encoded, scope) + encoded.encode()).decode().rstrip("=")


def read_cursor(cursor: str, scope: str) -> Position:
    """Decode a cursor.

    Raises:
        HTTPProblem: it is not a cursor, or one of another list.
    """
    try:
        text = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        check, encoded = text[:_CHECK_BYTES], text[_CHECK_BYTES:].decode("ascii")
        if check != _check(encoded, scope):
            raise HTTPProblem("unknown_cursor")
        at, task_id = encoded.split(" ")
        return Position(at=datetime.fromisoformat(at).astimezone(UTC), task_id=TaskId(UUID(task_id)))
    except (ValueError, OverflowError) as error:
        raise HTTPProblem("unknown_cursor") from error


def _check(encoded: str, scope: str) -> bytes:
    """A checksum against garbled cursors and those of other lists; forging one gives no advantage."""
    return sha256(f"{scope}\n{encoded}".encode()).digest()[:_CHECK_BYTES]
