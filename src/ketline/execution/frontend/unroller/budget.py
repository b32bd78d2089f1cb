"""Limits the cost of unrolling a program, and adds the line and column to errors; the importer uses it too."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ketline.domain.errors import ExecutionFailed, ProgramInvalid, ProgramTooLarge
from ketline.execution.frontend.diagnosis import statement_errors
from ketline.execution.limits import ExecutionLimits

# Steps are evaluated statements and parts of expressions; this many are allowed per allowed operation.
_STEPS_PER_OPERATION = 4


class Budget:
    """Counts declarations, operations and steps of a program; beyond a limit it raises `ProgramTooLarge`."""

    def __init__(self, limits: ExecutionLimits) -> None:
        self._limits = limits
        self._steps_left = limits.max_operations * _STEPS_PER_OPERATION
        self._operations_left = limits.max_operations
        self._left = {"qubits": limits.max_qubits, "bits": limits.max_bits}
        self._most = dict(self._left)

    def step(self, number: int = 1) -> None:
        self._steps_left -= number
        if self._steps_left < 0:
            raise ProgramTooLarge(
                f"unrolling the program takes more than {self._limits.max_operations * _STEPS_PER_OPERATION} steps"
            )

    def operations(self, number: int) -> None:
        self._operations_left -= number
        if self._operations_left < 0:
            raise ProgramTooLarge(f"the program expands to more than {self._limits.max_operations} operations")

    @contextmanager
    def dry_run(self) -> Iterator[None]:
        """Count only the steps of the block, because its operations and bits are discarded."""
        operations, left = self._operations_left, dict(self._left)
        try:
            yield
        finally:
            self._operations_left = operations
            self._left["bits"] = left["bits"]

    def declare(self, what: str, width: int) -> None:
        if width < 1:
            raise ProgramInvalid(f"the size of a register must be positive, not {width}")
        self._left[what] -= width
        if self._left[what] < 0:
            raise ProgramTooLarge(f"a program can declare up to {self._most[what]} {what} here")


class error_location:  # noqa: N801 - used like a function, for every node: a generator would take most of the time
    """Convert an exception in the block into an error of Ketline, with the line and column of a node."""

    __slots__ = ("_node",)

    def __init__(self, node: Any) -> None:
        self._node = node

    def __enter__(self) -> None:
        return

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if not isinstance(error, Exception):
            return
        with statement_errors(self._node):
            if not isinstance(error, ExecutionFailed):
                raise error
            span = getattr(self._node, "span", None)
            if error.line is None and span is not None:
                raise type(error)(error.message, line=span.start_line, column=span.start_column + 1) from error
