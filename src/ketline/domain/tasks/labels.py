"""Names, tags and metadata of tasks, given by clients. Ketline searches by them and never acts on them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """A name, distinct tags in the order of the request, and a JSON object of the client."""

    name: str | None = None
    tags: Sequence[str] = ()
    metadata: Mapping[str, object] = field(default_factory=dict)
