"""The programs that a command line names: files, `-` for standard input, patterns and directories."""

import glob
import sys
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ketline.cli.exit_codes import USAGE_ERROR, fail

STDIN = "-"
SUFFIX = ".qasm"


@dataclass(frozen=True, slots=True)
class Source:
    """A program and its name for the user: its path, or `-`."""

    name: str
    text: str


def read_sources(named: Sequence[str]) -> list[Source]:
    """Read the named programs, each once, in the order of the names; those of a directory are sorted by path."""
    found = dict.fromkeys(path for name in named for path in _paths(name))
    return [Source(path, _text(path)) for path in found]


def _paths(name: str) -> Iterator[str]:
    if name == STDIN:
        yield name
    elif Path(name).is_dir():
        yield from _matching(str(Path(glob.escape(name)) / "**" / f"*{SUFFIX}"), f"{name} has no {SUFFIX} files.")
    elif glob.has_magic(name) and not Path(name).exists():
        yield from _matching(name, f"No file matches {name}.")
    else:
        yield name


def _matching(pattern: str, otherwise: str) -> Iterator[str]:
    paths = sorted(path for path in glob.glob(pattern, recursive=True) if Path(path).is_file())
    if not paths:
        fail(otherwise, USAGE_ERROR)
    yield from paths


def _text(path: str) -> str:
    try:
        data = sys.stdin.buffer.read() if path == STDIN else Path(path).read_bytes()
        # Each QPY file begins so; the service takes it as base64, and knows it by its first letters.
        return b64encode(data).decode() if data.startswith(b"QISKIT") else data.decode()
    except OSError as error:
        fail(f"Cannot read {path}: {error.strerror}.", USAGE_ERROR)
    except UnicodeDecodeError:
        fail(f"{path} is not UTF-8 text.", USAGE_ERROR)
