"""`ketline` on SQLite with a clock that a file sets: `python file_clock.py ROOT FILE ARGUMENT...`."""

import sys
from pathlib import Path


class FileClock:
    """Sets the clock of a process that was started by this module."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seconds = 0.0
        path.write_text("0")

    async def step(self, seconds: float) -> None:
        self._seconds += seconds
        draft = self.path.with_suffix(".draft")
        draft.write_text(str(self._seconds))
        draft.rename(self.path)


def main() -> None:
    root, file = sys.argv.pop(1), Path(sys.argv.pop(1))
    sys.path[0] = root  # instead of this file's directory, whose modules have names of others
    from ketline.__main__ import main as ketline
    from tests.clocks import SqliteClock

    with SqliteClock(lambda: float(file.read_text())).installed():
        ketline()


if __name__ == "__main__":
    main()
