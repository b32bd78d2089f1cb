"""Keeps what a run left for somebody who wants to know what happened: logs and ledger, beside its report."""

import shutil
from pathlib import Path


def keep(directory: Path, target: Path) -> None:
    """Copy the run's logs and ledger to a new directory."""
    target.mkdir(parents=True)
    for path in [*directory.glob("*.log"), *directory.glob("*.jsonl")]:
        shutil.copy(path, target)
