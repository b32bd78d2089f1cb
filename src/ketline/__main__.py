"""The `ketline` command, quick to start: `python -m ketline` or `ketline`."""

import gc

# What is imported lives as long as the process: to look for garbage meanwhile is a tenth of the time to start.
# `cli.main` turns the collector on again.
gc.disable()

from ketline.cli.main import main  # noqa: E402

__all__ = ["main"]

if __name__ == "__main__":
    main()
