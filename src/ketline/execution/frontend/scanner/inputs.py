"""The inputs that a program declares, and arguments of gates that depend on them. Used by `statements.py`."""

from operator import itemgetter

from ketline.execution.frontend.scanner.constants import Value, value_of, values_of
from ketline.execution.frontend.scanner.lexicon import BLANKS


class Inputs:
    """The inputs that are declared so far: the name of the type of each, `float` or `angle`."""

    def __init__(self) -> None:
        self.types: dict[str, str] = {}
        self._floats: set[str] = set()
        self._angles: dict[str, Value] = {}

    def declare(self, name: str, type_name: str) -> None:
        self.types[name] = type_name
        if type_name == "float":
            self._floats.add(name)
        else:
            self._angles[name] = itemgetter(name)

    def values_of(self, text: str) -> tuple[Value, ...]:
        """As the function of this name, for a list of expressions of inputs: functions of the inputs' values.

        An angle may only stand alone, because its arithmetic is that of integers.

        Raises:
            Declined: as there.
        """
        if not self._angles:
            return values_of(text, self._floats)
        parts = (part.strip(BLANKS) for part in text.split(","))
        return tuple([self._angles.get(part) or value_of(part, self._floats) for part in parts])
