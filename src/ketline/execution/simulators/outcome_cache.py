"""Caches the sources from which the outcomes of programs are drawn. Used by the methods that simulate a final state."""

from collections import OrderedDict
from collections.abc import Callable

from ketline.execution.frontend.program import Program
from ketline.execution.simulators.sampling import OutcomeSource

_MAX_SOURCES = 64
# Enough for sixteen programs of 16 qubits; a source larger than a quarter of it is not cached.
_MAX_BYTES = 8 << 20
_MAX_BYTES_EACH = _MAX_BYTES // 4


class OutcomeCache:
    """The most recently used sources, up to a maximum number and a maximum total size.

    They are cached by program, not by text: what gives the same program again gives the same distribution.
    """

    def __init__(self, most_bytes: int = _MAX_BYTES) -> None:
        self._most_bytes = most_bytes
        self._sources: OrderedDict[tuple[Program, bool], OutcomeSource] = OrderedDict()
        self._bytes = 0

    def get(self, program: Program, make: Callable[[], OutcomeSource], *, exact: bool) -> OutcomeSource:
        """The source of a program, created by `make` if not cached; each value of `exact` has a separate source."""
        key = program, exact
        source = self._sources.get(key)
        if source is None:
            source = make()
            self._put(key, source)
        else:
            self._sources.move_to_end(key)
        return source

    def _put(self, key: tuple[Program, bool], source: OutcomeSource) -> None:
        size = source.reusable_bytes
        if size is None or size > _MAX_BYTES_EACH:
            return
        self._sources[key] = source
        self._bytes += size
        while self._bytes > self._most_bytes or len(self._sources) > _MAX_SOURCES:
            _, oldest = self._sources.popitem(last=False)
            self._bytes -= oldest.reusable_bytes or 0
