"""The output of a conversion, which the writers of `execution.conversion` return."""

from collections.abc import Sequence
from dataclasses import dataclass

from ketline.domain.results.result import MediaType, ProgramWarning


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversionOutput:
    """A converted program: text, or bytes for a binary format.

    `warnings` are about the program, and about what differs from it in the output, such as a name.
    """

    content: str | bytes
    warnings: Sequence[ProgramWarning] = ()

    @property
    def media_type(self) -> MediaType:
        return MediaType.TEXT if isinstance(self.content, str) else MediaType.BINARY
