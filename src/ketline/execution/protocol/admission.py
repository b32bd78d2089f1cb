"""The request of a simulator process for the whole machine, and the replies of its parent."""

import json

from ketline.execution.limits import ExecutionLimits
from ketline.execution.protocol.requests import Request

GRANTED = b'"granted"'
BUSY = b'"busy"'
_ADMISSION_PREFIX = b'{"needed_bytes":'


def encode_admission_request(needed_bytes: int, request: Request) -> bytes:
    """Encode a request for the whole machine, for a state of `needed_bytes`."""
    message = {"needed_bytes": needed_bytes, "token": request.token}
    return json.dumps(message, separators=(",", ":")).encode()


def is_admission_request(data: bytes) -> bool:
    """Whether a message is an admission request; any other message is a response."""
    return data.startswith(_ADMISSION_PREFIX)


def decode_admission_request(data: bytes, request: Request, limits: ExecutionLimits) -> int:
    """Return the number of bytes that an admission request needs.

    Raises:
        ValueError: the message does not belong to this request, or exceeds the memory limit.
    """
    try:
        message = json.loads(data)
        needed, token = message["needed_bytes"], message["token"]
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError("not an admission request for this program") from error
    if token != request.token or type(needed) is not int or not 0 < needed <= limits.memory_bytes:
        raise ValueError("not an admission request for this program")
    return needed
