"""A parser of server-sent events, for the flows of `watch.py`.

Source: WHATWG HTML, section 9.2 "Server-sent events".
"""

import json
from collections.abc import Iterator

from ketline.client.decoding import read_event
from ketline.client.models import Event


class EventReader:
    """Parses the bytes of one stream, in chunks of any size, into events."""

    def __init__(self) -> None:
        self._rest = b""
        self._fields: dict[str, list[str]] = {}

    def feed(self, data: bytes) -> Iterator[Event]:
        """Parse the next chunk, and yield the events that it completes.

        Raises:
            ValueError: the stream does not consist of task events.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if (event := self._take(line.rstrip(b"\r").decode())) is not None:
                yield event

    def _take(self, line: str) -> Event | None:
        if line:
            name, _, value = line.partition(":")
            self._fields.setdefault(name, []).append(value.removeprefix(" "))
            return None
        fields, self._fields = self._fields, {}
        if fields.get("event") != ["status"]:
            return None
        return read_event(int(fields["id"][-1]), json.loads("\n".join(fields["data"])))
