"""Names, tags and metadata of tasks, given by clients. Ketline searches by them and never acts on them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """A name, distinct tags in the order they were given, and a JSON object of the client's own."""

    name: str | None = None
    tags: Sequence[str] = ()
    metadata: Mapping[str, object] = field(default_factory=dict)
