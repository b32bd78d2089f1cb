"""Read server-sent events from bytes as they come.

Source: WHATWG HTML, section 9.2 "Server-sent events".
"""

import json
from collections.abc import Iterator

from ketline.client.decoding import read_event
from ketline.client.models import Event


class EventReader:
    """Makes events of the bytes of one stream, however these are cut."""

    def __init__(self) -> None:
        self._rest = b""
        self._fields: dict[str, list[str]] = {}

    def feed(self, data: bytes) -> Iterator[Event]:
        """The events that these bytes complete.

        Raises:
            ValueError: they are not events of tasks.
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
