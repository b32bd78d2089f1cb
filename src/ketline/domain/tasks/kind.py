"""The kinds of tasks."""

from enum import StrEnum


class TaskKind(StrEnum):
    """The use of the program: it is simulated, converted to another format, or run on another backend."""

    SIMULATE = "simulate"
    CONVERT = "convert"
    RUN = "run"
