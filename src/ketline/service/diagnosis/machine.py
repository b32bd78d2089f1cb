"""Checks the machine of a process: memory, disks, shared memory, file descriptors."""

import os
import resource
from dataclasses import dataclass
from pathlib import Path

from ketline.domain.operations.diagnosis import Finding, ok, problem, warning

MEBIBYTE = 1 << 20
# The memory that a simulator takes after it has imported its libraries.
SIMULATOR_BYTES = 200 * MEBIBYTE
LITTLE_DISK_BYTES, TOO_LITTLE_DISK_BYTES = 1024 * MEBIBYTE, 100 * MEBIBYTE
LITTLE_INODES = 1000
# Docker's default, with which PostgreSQL in a container fails on large queries.
LITTLE_SHARED_BYTES = 64 * MEBIBYTE


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """A file system: its size and what is free of it, the inodes that are free (None if it has none), and whether this
    process may write there."""

    path: Path
    total_bytes: int
    free_bytes: int
    free_inodes: int | None
    writable: bool


def space_of(path: Path) -> Space:
    """The file system of a directory, or of the nearest one above it that exists.

    Raises:
        OSError: it cannot be read.
    """
    place = path.absolute()
    while not place.exists():
        place = place.parent
    found = os.statvfs(place)
    return Space(
        path=place,
        total_bytes=found.f_blocks * found.f_frsize,
        free_bytes=found.f_bavail * found.f_frsize,
        free_inodes=found.f_favail if found.f_files else None,
        writable=os.access(place, os.W_OK | os.X_OK) and not found.f_flag & os.ST_RDONLY,
    )


def judge_space(check: str, space: Space) -> Finding:
    """Whether a disk has room for a database, or for temporary files."""
    text = f"{_size(space.free_bytes)} of {_size(space.total_bytes)} free at {space.path}"
    if not space.writable:
        return problem(
            check, f"{space.path} cannot be written", "Give the user of the service the right to write there."
        )
    if space.free_bytes < TOO_LITTLE_DISK_BYTES:
        return problem(check, text, "Free space now: without it nothing can be stored.")
    if space.free_inodes is not None and space.free_inodes < LITTLE_INODES:
        return problem(
            check, f"{space.free_inodes} inodes free at {space.path}", "Delete small files that are not needed."
        )
    if space.free_bytes < LITTLE_DISK_BYTES:
        return warning(check, text, "Free space, or limit what is stored with KETLINE_RETAIN_DAYS.")
    return ok(check, text)


def judge_shared_memory(space: Space) -> Finding:
    """Whether `/dev/shm` has room for the files of libraries and of a PostgreSQL on this machine."""
    text = f"{_size(space.free_bytes)} of {_size(space.total_bytes)} free at {space.path}"
    if not space.writable:
        return problem(
            "shared memory", f"{space.path} cannot be written", "Mount a tmpfs there that all users may write to."
        )
    if space.free_bytes < LITTLE_SHARED_BYTES:
        return warning(
            "shared memory", text, "Give the container more: `docker run --shm-size=256m`, or `shm_size` in Compose."
        )
    return ok("shared memory", text)


def available_bytes(text: str) -> int | None:
    """The memory that is available to new processes, from the text of `/proc/meminfo`."""
    for line in text.splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def judge_memory(limit_bytes: int, available: int | None, *, slots: int, state_bytes: int) -> Finding:
    """Whether the simulators of `slots` slots fit, and one state of `state_bytes`, the largest that a task may need."""
    free = limit_bytes if available is None else min(available, limit_bytes)
    text = f"{_size(free)} of {_size(limit_bytes)} available; {slots} slots, states up to {_size(state_bytes)}"
    if free < slots * SIMULATOR_BYTES:
        advice = "Set fewer KETLINE_WORKER_SLOTS, or give the machine or the container more memory."
        return problem("memory", text, advice)
    if slots and free < state_bytes:
        advice = "Large programs may be killed: set KETLINE_SIMULATOR_MEMORY_MB to less, or free memory."
        return warning("memory", text, advice)
    return ok("memory", text)


def judge_descriptors(needed: int, limits: tuple[int, int] | None = None) -> Finding:
    """Whether the process may open as many files and connections as the settings permit; it raises the soft limit."""
    soft, hard = limits or resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = hard == resource.RLIM_INFINITY
    text = f"{needed} needed, limit {soft} (hard {'unlimited' if unlimited else hard})"
    if not unlimited and hard < needed:
        advice = f"Raise it, as with LimitNOFILE={needed} in systemd or `ulimit -Hn`, or lower KETLINE_MAX_CONNECTIONS."
        return warning("file descriptors", text, advice)
    return ok("file descriptors", text)


def judge_cores(slots: int, cores: int) -> Finding:
    """Whether there is a core for each slot."""
    text = f"{cores} cores for {slots} slots"
    if slots > cores:
        return warning("cores", text, "More slots than cores make each program slower: set fewer KETLINE_WORKER_SLOTS.")
    return ok("cores", text)


def judge_protections(landlock: int, seccomp: bool) -> Finding:
    """Whether the kernel confines simulators."""
    missing = [name for name, there in (("Landlock", landlock > 0), ("seccomp", seccomp)) if not there]
    if missing:
        advice = "Programs run with fewer protections: use a newer kernel, or a container that permits them."
        return warning("sandbox", f"{' and '.join(missing)} not available", advice)
    return ok("sandbox", f"Landlock {landlock} and seccomp available")


def _size(count: int) -> str:
    return f"{count / MEBIBYTE:,.0f} MiB" if count < 10_240 * MEBIBYTE else f"{count / (1024 * MEBIBYTE):,.0f} GiB"
