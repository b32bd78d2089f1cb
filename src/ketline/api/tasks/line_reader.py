"""Reads the lines of the history of many tasks one after the other, for event streams."""

from collections.abc import Collection, Sequence, Set

from ketline.domain.tasks.task import TaskLine
from ketline.ports.tasks.catalogue import TaskCatalogue

LINES_AT_ONCE = 500
# Ids are given before the commit, so lines may become visible late: by at most this many lines.
LATE_LINES = 1000
# One statement examines so many lines, most of which may be of other projects or have other tags.
EXAMINED_AT_ONCE = 50_000


class LineReader:
    """Reads the history lines of all tasks with some tags, in the order in which they become visible.

    It starts after the line `after` and skips the lines `known`, which were read before. Lines of other tasks are
    examined once: `after` goes beyond them.
    """

    def __init__(self, catalogue: TaskCatalogue, tags: Sequence[str], after: int, known: Collection[int] = ()) -> None:
        self._catalogue = catalogue
        self._tags = tags
        self._known = {after, *known}
        self.after = after

    @property
    def known(self) -> Set[int]:
        """The lines that were read lately."""
        return self._known

    async def read(self) -> Sequence[TaskLine]:
        """Read the next lines, none if there are none yet; each line is returned once.

        Raises:
            DatabaseUnavailable: the lines could not be read.
        """
        last = await self._catalogue.last_line()
        while True:
            upto = max(self.after, min(last, self.after + EXAMINED_AT_ONCE))
            lines = await self._read_up_to(upto)
            if lines or upto >= last:
                return lines

    async def _read_up_to(self, upto: int) -> Sequence[TaskLine]:
        lines = await self._catalogue.lines(
            self._tags, after=self.after, upto=upto, known=self._known, limit=LINES_AT_ONCE
        )
        ids = [line.change.line_id for line in lines]
        self._known.update(ids)
        later = [line_id for line_id in ids if line_id > self.after]
        self.after = upto if len(later) < LINES_AT_ONCE else later[-1]
        if len(self._known) > 2 * LATE_LINES:
            self._known = {line_id for line_id in self._known if line_id > self.after - LATE_LINES}
        return lines
