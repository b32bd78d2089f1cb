"""Checks that an open SQLite database is still the file that its path names, for `sqlite.py`.

SQLite continues to write to a file that was moved or deleted, and reports success. The next process that opens the path
would not find what is committed there.
"""

import os
from dataclasses import dataclass, field

from ketline.domain.errors import DatabaseFileLost

_MAGIC = b"SQLite format 3\x00"
_HEADER_BYTES = 100


@dataclass(slots=True)
class DatabaseFile:
    """The file of an open database and its write-ahead log, identified by device and inode.

    `path` is None for a database in memory. A file that was moved away and back is accepted again.

    The file is opened once, and closed after the connections: when a process closes a file it loses all its locks on
    it, also those of SQLite, and another process would then delete the log that this one uses.
    Source: SQLite documentation, "How To Corrupt An SQLite Database File", section 2.2.
    """

    path: str | None
    _main: tuple[int, int] | None = field(default=None, init=False)
    _log: tuple[int, int] | None = field(default=None, init=False)
    _size: int = field(default=0, init=False)
    _descriptor: int | None = field(default=None, init=False)

    def check(self) -> None:
        """Check that the path names the file that it named at the first call, and that the file was not truncated.

        Raises:
            DatabaseFileLost: the file or its log was moved, deleted, replaced or truncated.
        """
        if self.path is None:
            return
        found = _stat(self.path)
        if found is None:
            raise DatabaseFileLost("The database's file is no longer at its path; put it back.")
        identity = (found.st_dev, found.st_ino)
        self._main = self._main or identity
        if identity != self._main:
            raise DatabaseFileLost("Another file is at the database's path; put the original file back, or restart.")
        self._check_size(found.st_size)
        self._check_log()

    def _check_log(self) -> None:
        # SQLite creates the log with the first write, and keeps it as long as a connection is open.
        found = _stat(f"{self.path}-wal")
        identity = None if found is None else (found.st_dev, found.st_ino)
        self._log = self._log or identity
        if identity != self._log:
            raise DatabaseFileLost("The database's write-ahead log was moved, deleted or replaced; restart.")

    def _check_size(self, size: int) -> None:
        if size < self._size and not self._is_whole(size):
            raise DatabaseFileLost("The database's file was truncated; restore it from a backup.")
        self._size = size

    def close(self) -> None:
        """Close the file; only after all connections of this process to the database are closed."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _is_whole(self, size: int) -> bool:
        """Whether the file holds as many pages as its header says; VACUUM reduces the file and this number.

        Source: SQLite documentation, "Database File Format", sections 1.3.1, 1.3.2 and 1.3.7.
        """
        try:
            if self._descriptor is None:
                self._descriptor = os.open(self.path or "", os.O_RDONLY | os.O_CLOEXEC)
            header = os.pread(self._descriptor, _HEADER_BYTES, 0)
        except OSError:
            return False
        if len(header) < _HEADER_BYTES or not header.startswith(_MAGIC):
            return False
        page_size = int.from_bytes(header[16:18], "big")
        pages = int.from_bytes(header[28:32], "big")
        return pages * (65536 if page_size == 1 else page_size) <= size


def _stat(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except OSError:
        return None
