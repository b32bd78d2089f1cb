"""Checks the parameters of gates in OpenQASM 2: real numbers of parameters, pi, arithmetic and functions.

`checker.py` calls it.
"""

import math
from collections.abc import Callable, Collection, Mapping

from ketline.domain.errors import ProgramUnsupported
from ketline.execution.frontend.mistakes.suggestions import did_you_mean
from ketline.execution.frontend.openqasm2.cursor import Cursor, Mistake

_FUNCTIONS: Mapping[str, Callable[[float], float]] = {
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "exp": math.exp,
    "ln": math.log,
    "sqrt": math.sqrt,
    "asin": math.asin,
    "acos": math.acos,
    "atan": math.atan,
}
FUNCTION_NAMES = frozenset(_FUNCTIONS)
_OTHER_NAMES = {"arcsin": "asin", "arccos": "acos", "arctan": "atan", "log": "ln", "PI": "pi", "Pi": "pi", "π": "pi"}
_FORM = "'rx(pi / 2) q[0];'"
_MAX_DEPTH = 128

# None where parameters of a gate are involved.
Value = float | None


class Angles:
    """Reads expressions at a cursor; `parameters` are the names that are allowed in them."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self._depth = 0
        self.parameters: Collection[str] = ()

    def read(self) -> None:
        """Read one parameter of a gate, and move the cursor behind it.

        Raises:
            Mistake: it is not a parameter.
        """
        start = self._cursor.token.start
        self._depth = 0
        value = self._sum()
        if value is not None and not math.isfinite(value):
            raise Mistake(start, "this angle is not a finite number")

    def _sum(self) -> Value:
        value = self._product()
        while self._cursor.token.text in ("+", "-"):
            sign = self._cursor.next().text
            other = self._product()
            value = None if value is None or other is None else value + other if sign == "+" else value - other
        return value

    def _product(self) -> Value:
        value = self._signed()
        while self._cursor.token.text in ("*", "/"):
            sign = self._cursor.next()
            other = self._signed()
            if sign.text == "/" and other == 0:
                raise Mistake(sign.start, "division by zero: the right side of '/' is 0")
            value = None if value is None or other is None else value * other if sign.text == "*" else value / other
        return value

    def _signed(self) -> Value:
        negative = False
        while self._cursor.token.text in ("+", "-"):
            negative ^= self._cursor.next().text == "-"
        value = self._power()
        return -value if negative and value is not None else value

    def _power(self) -> Value:
        base = self._atom()
        start = self._cursor.token.start
        if self._cursor.token.text == "*" and self._cursor.ahead(1).text == "*":
            raise Mistake(start, "a power is written with '^', as in '2^3'")
        if not self._cursor.skips("^"):
            return base
        self._descend()
        exponent = self._signed()
        self._depth -= 1
        return None if base is None or exponent is None else _calculated(lambda: base**exponent, start)

    def _descend(self) -> None:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            start = self._cursor.token.start
            raise Mistake(start, f"an expression nests more than {_MAX_DEPTH} deep", ProgramUnsupported)

    def _atom(self) -> Value:
        cursor = self._cursor
        token = cursor.token
        if token.kind in ("real", "integer"):
            cursor.check_digits()
            return float(cursor.next().text)
        if token.kind == "name" and token.text in _FUNCTIONS:
            cursor.next()
            value = self._bracketed()
            function = _FUNCTIONS[token.text]
            return None if value is None else _calculated(lambda: function(value), token.start)
        if token.kind == "name":
            return self._named()
        if token.text == "(":
            return self._bracketed()
        raise cursor.unexpected("a number or a parameter is missing", _FORM)

    def _bracketed(self) -> Value:
        self._descend()
        self._cursor.expect("(", _FORM)
        value = self._sum()
        self._cursor.expect(")", _FORM)
        self._depth -= 1
        return value

    def _named(self) -> Value:
        token = self._cursor.next()
        if token.text == "pi":
            return math.pi
        if token.text in self.parameters:
            return None
        if (meant := _OTHER_NAMES.get(token.text)) is not None:
            raise Mistake(token.start, f"'{token.text}' is written '{meant}' in OpenQASM 2")
        if self._cursor.token.text == "(":
            raise Mistake(token.start, f"function '{token.text}' is not defined{did_you_mean(token.text, _FUNCTIONS)}")
        hint = did_you_mean(token.text, {*self.parameters, "pi"})
        hint = hint or ": parameters of gates are numbers, 'pi' and, in the definition of a gate, its parameters"
        raise Mistake(token.start, f"'{token.text}' is not defined{hint}")


def _calculated(calculate: Callable[[], float | complex], start: int) -> float:
    try:
        value = calculate()
    except OverflowError:
        raise Mistake(start, "this angle is not a finite number") from None
    except (ValueError, ZeroDivisionError):
        raise Mistake(start, "this has no value: the argument is outside of where the function is defined") from None
    if isinstance(value, complex):
        raise Mistake(start, "this has no value: a negative number has only whole powers")
    return value
