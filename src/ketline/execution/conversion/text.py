"""Output within the limit on the size of a result. Used by the writers of all formats."""

from ketline.domain.errors import ProgramTooLarge

_INDENT = "  "


class SizeLimit:
    """Counts the bytes of an output against its limit."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._left = max_bytes

    def take(self, size: int) -> None:
        """Count bytes that are added to the output.

        Raises:
            ProgramTooLarge: the output exceeds the limit.
        """
        self._left -= size
        if self._left < 0:
            raise too_large(self._max_bytes)


class TextWriter:
    """Collects lines; `depth` is the number of blocks that contain the next one."""

    def __init__(self, max_bytes: int) -> None:
        self.depth = 0
        self._lines: list[str] = []
        self._size_limit = SizeLimit(max_bytes)

    def line(self, text: str) -> None:
        """Write a line.

        Raises:
            ProgramTooLarge: the text is longer than a result may be.
        """
        line = f"{_INDENT * self.depth}{text}\n"
        self._size_limit.take(len(line) if line.isascii() else len(line.encode()))
        self._lines.append(line)

    def text(self) -> str:
        return "".join(self._lines)


def base64_bytes(data: bytes) -> int:
    """The size of data as base64, in bytes."""
    return (len(data) + 2) // 3 * 4


def too_large(max_bytes: int) -> ProgramTooLarge:
    """The error for an output that is larger than a result may be."""
    return ProgramTooLarge(f"the converted program takes more than {max_bytes / 2**20:g} MiB")
