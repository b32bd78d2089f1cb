"""Checks operands: registers and their elements or, in the definition of a gate, its qubits; for `checker.py`."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from ketline.execution.frontend import messages
from ketline.execution.frontend.mistakes.suggestions import did_you_mean
from ketline.execution.frontend.openqasm2.cursor import Cursor, Mistake
from ketline.execution.frontend.openqasm2.declarations import Declarations
from ketline.execution.frontend.openqasm2.tokens import Token

_MAX_DIGITS = 9


class Operand(NamedTuple):
    """A name with the `element` that its index selects; `width` is the size of a whole register, None if unknown."""

    name: Token
    element: int | None
    width: int | None

    @property
    def written(self) -> str:
        return self.name.text if self.element is None else f"{self.name.text}[{self.element}]"


class Operands:
    """Reads operands at a cursor; `arguments` are the qubits of the gate that is being defined."""

    def __init__(self, cursor: Cursor, declared: Declarations) -> None:
        self._cursor = cursor
        self._declared = declared
        self.arguments: Collection[str] | None = None
        self.gate = ""

    def list(self, form: str) -> Sequence[Operand]:
        """Read one or more qubits with commas between them.

        Raises:
            Mistake: there is something else.
        """
        operands = [self.one(form)]
        while True:
            token = self._cursor.token
            if not self._cursor.skips(","):
                if token.text in (self._declared.registers if self.arguments is None else self.arguments):
                    raise Mistake(token.start, f"',' is missing between '{operands[-1].written}' and '{token.text}'")
                return operands
            if self._cursor.token.text != ";":  # a comma at the end is taken, as by Qiskit
                operands.append(self.one(form))

    def one(self, form: str, *, is_quantum: bool = True) -> Operand:
        """Read a qubit, a bit, or a register of them.

        Raises:
            Mistake: there is something else.
        """
        name = self._cursor.expect_kind("name", "a qubit" if is_quantum else "a bit", form)
        if self.arguments is not None:
            return self._argument(name)
        register = self._declared.register(name, is_quantum=is_quantum)
        if not self._cursor.skips("["):
            return Operand(name, None, register.size)
        token = self._cursor.token
        if token.text in (":", "-", "]") or token.kind == "name" or token.kind == "real":
            message = f"an index is a number here, from {name.text}[0] on: OpenQASM 2 has neither ranges nor variables"
            raise Mistake(token.start, message)
        self._cursor.expect_kind("integer", "an index", form)
        if self._cursor.token.text in (":", ","):
            raise Mistake(
                self._cursor.token.start, "OpenQASM 2 has no ranges: name each element, or the whole register"
            )
        self._cursor.expect("]", form)
        digits = token.text.lstrip("0") or "0"
        if register.size is not None and (len(digits) > _MAX_DIGITS or int(digits) >= register.size):
            if len(digits) > _MAX_DIGITS:
                extent = messages.plural(register.size, register.element)
                raise Mistake(name.start, f"the index is out of range: '{name.text}' has {extent}")
            raise Mistake(name.start, messages.index_outside(name.text, int(digits), register.size, register.element))
        return Operand(name, int(digits[:_MAX_DIGITS]), 1)

    def _argument(self, name: Token) -> Operand:
        assert self.arguments is not None
        if name.text not in self.arguments:
            hint = did_you_mean(name.text, self.arguments)
            raise Mistake(name.start, f"'{name.text}' is not a qubit of gate '{self.gate}'{hint}")
        if self._cursor.token.text == "[":
            example = f"'gate {self.gate} a, b'"
            message = f"the qubits of a gate definition have no indices: name each of them, as in {example}"
            raise Mistake(name.start, message)
        return Operand(name, None, 1)
