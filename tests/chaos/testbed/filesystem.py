"""A small file system in memory for the data of a run. Mounting it needs root."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_MOUNT_SECONDS = 20


@contextmanager
def small_disk(directory: Path, megabytes: int) -> Iterator[Path | None]:
    """A file system of this size for the time of the context; None for size 0."""
    if not megabytes:
        yield None
        return
    directory.mkdir()
    directory.parent.chmod(0o711)  # a server's own user has to reach it
    _run("mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=1777", "ketline-chaos", str(directory))
    try:
        yield directory
    finally:
        _run("umount", "--lazy", str(directory))


@contextmanager
def temporary_files_in(directory: Path | None) -> Iterator[None]:
    """Have new temporary directories, a server's data among them, made there."""
    before, tempfile.tempdir = tempfile.gettempdir(), str(directory) if directory else tempfile.gettempdir()
    try:
        yield
    finally:
        tempfile.tempdir = before


def _run(*command: str) -> None:
    subprocess.run(command, check=True, timeout=_MOUNT_SECONDS, capture_output=True)
