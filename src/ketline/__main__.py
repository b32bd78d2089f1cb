"""The entry point of the `ketline` command and of `python -m ketline`, optimized to start fast."""

import gc

# Imported modules live as long as the process, and garbage collection during imports takes a tenth of the start time.
# `cli.main` turns the collector on again.
gc.disable()

from ketline.cli.main import main  # noqa: E402

__all__ = ["main"]

if __name__ == "__main__":
    main()
