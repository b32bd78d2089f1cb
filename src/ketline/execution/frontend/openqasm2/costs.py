"""Checks an OpenQASM 2 program against the limits, before Qiskit's reader builds a circuit of its size.

`outliner.py` calls it.
"""

import re
from collections import Counter

from ketline.domain.errors import ProgramTooLarge, ProgramUnsupported
from ketline.execution.frontend.openqasm2.outline import Outline
from ketline.execution.frontend.openqasm2.statements import DECLARATIONS, Statement, error_at, statements
from ketline.execution.limits import ExecutionLimits

_PARAMETERS = re.compile(r"\(.*\)", re.DOTALL)
# The number of qubits and bits that a program may name, for each operation that it may have.
_MENTIONS_PER_OPERATION = 8
# Qiskit's reader makes a block for each operation under an `if`, with all bits of the register: that takes as
# long as this number of mentions, and this number more for each bit.
_BRANCH_MENTIONS = 64
_BRANCH_MENTIONS_PER_BIT = 4


def check_costs(text: str, outline: Outline, calls: Counter[str], limits: ExecutionLimits) -> None:
    """Check the calls one by one, unless all of them together stay far below the limits.

    `calls` has how often each gate or operation is called.

    Raises:
        ProgramTooLarge: they exceed the limits.
        ProgramUnsupported: one is that of an opaque gate.
    """
    costs = _Costs(text, outline, limits)
    if costs.may_exceed(calls):
        for statement in statements(text):
            if not statement.inside and statement.word not in DECLARATIONS:
                costs.add(statement)


class _Costs:
    def __init__(self, text: str, outline: Outline, limits: ExecutionLimits) -> None:
        self._text = text
        self._outline = outline
        self._most_operations = limits.max_operations
        self._most_mentions = limits.max_operations * _MENTIONS_PER_OPERATION
        self._operations = 0
        self._mentions = 0

    def may_exceed(self, calls: Counter[str]) -> bool:
        widest = max([1, *self._outline.qubits.values()])
        operations = widest * sum(number * self._operations_of(word) for word, number in calls.items())
        mentions = widest * (calls.total() + self._text.count(","))
        return (
            operations > self._most_operations
            or mentions > self._most_mentions
            or self._outline.has_conditions
            or any(map(self._is_opaque, calls))
        )

    def add(self, statement: Statement) -> None:
        if self._is_opaque(statement.word):
            raise self._opaque(statement)
        operands = _PARAMETERS.sub("", statement.rest)
        width, number = self._outline.width(operands), operands.count(",") + 1
        if statement.word == "barrier":
            self._mentions += sum(self._outline.sizes(operands)) + number
        else:
            self._operations += self._operations_of(statement.word) * width
            self._mentions += width * number
        if statement.condition is not None:
            bits = self._outline.bits.get(statement.condition, 0)
            self._mentions += width * (_BRANCH_MENTIONS + _BRANCH_MENTIONS_PER_BIT * bits)
        self._check(statement)

    def _check(self, statement: Statement) -> None:
        if self._operations > self._most_operations:
            message = f"the program comes to more than {self._most_operations} operations"
            raise error_at(self._text, statement, ProgramTooLarge, message)
        if self._mentions > self._most_mentions:
            message = "the program takes too long to read: its barriers, registers and conditions have too many bits"
            raise error_at(self._text, statement, ProgramTooLarge, message)

    def _opaque(self, statement: Statement) -> Exception:
        name = statement.word[:60]
        what = "is made of an opaque gate" if self._outline.bodies[statement.word].operations else "is opaque"
        message = f"gate '{name}' {what}: it cannot be simulated without a definition, as in 'gate {name} a {{ ... }}'"
        return error_at(self._text, statement, ProgramUnsupported, message)

    def _operations_of(self, word: str) -> int:
        if word == "barrier":
            return 0
        body = self._outline.bodies.get(word)
        return 1 if body is None else max(1, body.operations)

    def _is_opaque(self, word: str) -> bool:
        body = self._outline.bodies.get(word)
        return body is not None and body.is_opaque
