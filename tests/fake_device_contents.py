"""Contents of devices in memory, for `ports.device_contents`."""

from dataclasses import dataclass, field
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class FakeDeviceContents:
    """Keeps every content. `calls` are those that read or keep one. `batches` are what deletions find, in order."""

    texts: dict[str, str] = field(default_factory=dict)
    batches: list[int] = field(default_factory=list)
    deletions: list[tuple[timedelta, int]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    async def keep(self, digest: str, text: str) -> None:
        self.calls.append("keep")
        self.texts[digest] = text

    async def delete_unused(self, age: timedelta, limit: int) -> int:
        self.deletions.append((age, limit))
        return self.batches.pop(0) if self.batches else 0

    async def get(self, digest: str) -> str | None:
        self.calls.append("get")
        return self.texts.get(digest)
