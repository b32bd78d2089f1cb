"""The checks of `ketline doctor` that need no adapter, and how all of them are run in bounded time."""
