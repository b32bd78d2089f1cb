"""The declared qubits and bits of a flat program (no control flow), and the operands that select them.

`statements.py` declares them.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from qiskit_qasm3_import import converter

from ketline.execution.frontend.places import DeclaredNames
from ketline.execution.frontend.ranges import positions
from ketline.execution.frontend.scanner.constants import CONSTANTS, FUNCTIONS, integer_of
from ketline.execution.frontend.scanner.layout import Layout
from ketline.execution.frontend.scanner.lexicon import BLANK, BLANKS, IDENTIFIER, KEYWORDS, Declined
from ketline.execution.limits import ExecutionLimits

_PHYSICAL = r"\$(?:0|[1-9][0-9]{0,7}+)(?![0-9])"
# An operand is a single bit or qubit by its index, or a tuple of them: gates are broadcast over tuples.
Operand = int | tuple[int, ...]
Qubits = tuple[int, ...]

_OPERAND = re.compile(rf"{BLANK}*+({IDENTIFIER}|{_PHYSICAL}){BLANK}*+(?:\[(?:([0-9]{{1,8}})|([^\[\]]*+))\]{BLANK}*+)?")
_SET = re.compile(rf"{BLANK}*+\{{([^{{}}]*+)\}}{BLANK}*+")
_RESERVED = KEYWORDS | CONSTANTS.keys() | FUNCTIONS.keys() | {"U"}
_MAX_NAMES = 256
# Cached, because programs have many short operands in common, such as 'q[0], q[1]'.
_MAX_CACHED_CHARACTERS = 24
_MAX_CACHED = 4096
# The most bits and qubits that operands may select, as a multiple of the operations that a program may have.
_MENTIONS_PER_OPERATION = 8
# The widest register whose bits are found by their whole text, such as 'q[3]'.
_MAX_ELEMENTS = 256

# Registers get the same names as from the importer.
escaped = lru_cache(_MAX_NAMES)(converter._escape_qasm2)  # noqa: SLF001 - it has no public name


class Registers:
    """The declarations of a program so far.

    `groups` and `group_names` have the same meaning as in `ProgramConverter`.
    """

    def __init__(self, limits: ExecutionLimits) -> None:
        self.layout = Layout()
        self.groups: list[int] = []
        self.group_names: list[str | None] = []
        self.declared = DeclaredNames()
        self._last_was_single_bit = False
        self._qubits_left = limits.max_qubits
        self._bits_left = limits.max_bits
        self._mentions_left = limits.max_operations * _MENTIONS_PER_OPERATION
        self._names: set[str] = set()
        self._included: frozenset[str] = frozenset()
        self._register_names: set[str] = set()
        self._qubits: dict[str, Operand] = {}
        self._physical = 0
        self._bits: dict[str, Operand] = {}
        self._single_qubits: dict[str, int] = {}  # by their text, those in registers too
        self._single_bits: dict[str, int] = {}
        self._operands: dict[str, tuple[Operand, ...]] = {}
        self._applications: dict[str, tuple[Qubits, ...]] = {}

    @property
    def has_include(self) -> bool:
        return bool(self._included)

    @property
    def mixes_qubits(self) -> bool:
        """Whether the program has declared qubits and physical ones."""
        return bool(self._qubits and self._physical)

    def claim(self, name: str) -> None:
        """Record that a name is in use.

        Raises:
            Declined: the name is already in use, or reserved by the language.
        """
        if name in self._names or name in self._included or name in _RESERVED:
            raise Declined
        self._names.add(name)

    def include(self, names: frozenset[str]) -> None:
        """Record that the names of an included file are in use.

        Raises:
            Declined: one of them is already in use, or a file was included before.
        """
        if self._included or not self._names.isdisjoint(names):
            raise Declined
        self._included = names

    def declare_qubits(self, name: str, size: int | None) -> None:
        width = _width(size)
        self._qubits_left -= width
        if self._qubits_left < 0 or self._physical:
            raise Declined
        first = self.layout.num_qubits
        self.declared.qubits[first] = name
        self._claim_register(name, size)
        self._qubits[name] = _operand(first, size)
        self._single_qubits.update(_elements(name, first, size))
        self.layout.add_qubits(width, None if size is None else escaped(name))

    def declare_bits(self, name: str, size: int | None) -> None:
        width = _width(size)
        self._bits_left -= width
        if self._bits_left < 0:
            raise Declined
        first = self.layout.num_clbits
        if size is None:
            self.declared.bits[first] = name
        self._claim_register(name, size)
        self._bits[name] = _operand(first, size)
        self._single_bits.update(_elements(name, first, size))
        self.layout.add_bits(width, None if size is None else escaped(name))
        if size is None and self._last_was_single_bit:
            self.groups[-1] += 1
            self.group_names[-1] = None
        else:
            self.groups.append(width)
            self.group_names.append(name)
        self._last_was_single_bit = size is None

    def qubits(self, text: str) -> tuple[Operand, ...]:
        """The operands in the text of a list."""
        found = self._operands.get(text)
        if found is None:
            found = self._operands[text] = self._read(text, self._qubits)
        return found

    def flat_qubits(self, text: str) -> Qubits:
        """All qubits in a list of operands, each once."""
        operands = self.qubits(text)
        if len(operands) == 1 and isinstance(operands[0], tuple):
            flat = operands[0]
        else:
            flat = tuple(qubit for operand in operands for qubit in members(operand))
        self._mention(len(flat))
        if len(set(flat)) != len(flat):
            raise Declined
        return flat

    def bits(self, text: str) -> tuple[int, ...]:
        """The bits of the single operand in this text."""
        operands = self._read(text, self._bits)
        if len(operands) != 1:
            raise Declined
        return members(operands[0])

    def compared(self, text: str) -> Operand:
        """The bit, or the bits of the whole register, in the text of a condition.

        Raises:
            Declined: it is a part of a register.
        """
        whole = self._bits.get(text.strip(BLANKS))
        if whole is not None:
            self._mention(len(members(whole)))
            return whole
        operands = self._read(text, self._bits)
        if len(operands) != 1 or isinstance(operands[0], tuple):
            raise Declined
        return operands[0]

    def applications(self, text: str) -> tuple[Qubits, ...]:
        """The qubits of each application of a gate, which is applied to the qubits of registers in turn.

        Source: OpenQASM 3 specification, "Gates", section "Hierarchically defined unitary gates" on broadcasting.
        """
        found = self._applications.get(text)
        if found is None:
            found = self._applications[text] = self._broadcast(self._read(text, self._qubits))
        return found

    def usual_applications(self, text: str) -> tuple[Qubits, ...] | None:
        """As `applications`; None for the text of a measurement that begins like a call."""
        found = self._applications.get(text)
        if found is None:
            qubits = [self._single_qubits.get(part.strip(BLANKS), -1) for part in text.split(",")]
            if -1 in qubits:
                return None if "=" in text else self.applications(text)
            found = self._applications[text] = _checked_applications((tuple(qubits),))
        return found

    def usual_measurement(self, source: str, target: str) -> tuple[int, int] | None:
        """The single qubit and the single bit in these texts; None if they are written in an unusual way."""
        qubit = self._single_qubits.get(source.strip(BLANKS))
        bit = self._single_bits.get(target.strip(BLANKS))
        return None if qubit is None or bit is None else (qubit, bit)

    def _claim_register(self, name: str, size: int | None) -> None:
        """Record the name of a declaration, and of its register, if it has one.

        Raises:
            Declined: one of them is already in use.
        """
        self.claim(name)
        if size is None:
            return
        if escaped(name) in self._register_names:
            raise Declined
        self._register_names.add(escaped(name))

    def _read(self, text: str, declared: Mapping[str, Operand]) -> tuple[Operand, ...]:
        whole = declared.get(text)
        if whole is not None:
            return (whole,)
        operands: list[Operand] = []
        try:
            for name, number, index in short_operands(text) if len(text) <= _MAX_CACHED_CHARACTERS else _parsed(text):
                found = declared.get(name)
                if number is not None and isinstance(found, tuple):
                    operands.append(found[number])
                else:
                    operands.append(self._select(name, number, index, declared))
        except IndexError:
            raise Declined from None
        return tuple(operands)

    def _declare_physical(self, last: int) -> None:
        """Create the missing physical qubits up to this number, as the importer does.

        Raises:
            Declined: there are too many, or the program has declared qubits.
        """
        known = self._physical
        if len(self._qubits) != known or last >= known + self._qubits_left:
            raise Declined
        new = {f"${number}": number for number in range(known, last + 1)}
        self._qubits |= new
        self._single_qubits |= new
        self._physical = last + 1
        self._qubits_left -= self._physical - known
        self.layout.add_qubits(self._physical - known)

    def _select(self, name: str, number: int | None, index: str | None, declared: Mapping[str, Operand]) -> Operand:
        if name[0] == "$" and name not in declared:
            self._declare_physical(int(name[1:]))
        found = declared.get(name)
        if found is None:
            raise Declined
        if number is None and index is None:
            return found
        if not isinstance(found, tuple):
            raise Declined
        return found[number] if number is not None else self._select_by_expression(found, index or "")

    def _select_by_expression(self, declared: tuple[int, ...], index: str) -> Operand:
        chosen: Sequence[int]
        if braces := _SET.fullmatch(index):
            chosen = [integer_of(part) for part in braces[1].split(",")]
        elif ":" in index:
            chosen = _range(index, len(declared))
        else:
            return declared[integer_of(index)]
        if not chosen:
            raise Declined
        self._mention(len(chosen))
        return tuple(declared[position] for position in chosen)

    def _broadcast(self, operands: tuple[Operand, ...]) -> tuple[Qubits, ...]:
        if len(operands) == 1:
            return tuple([(qubit,) for qubit in members(operands[0])])
        single = tuple([operand for operand in operands if not isinstance(operand, tuple)])
        if len(single) == len(operands):
            return _checked_applications((single,))
        widths = [len(operand) for operand in operands if isinstance(operand, tuple)]
        width = widths[0]
        if any(other != width for other in widths):
            raise Declined
        self._mention(width * len(operands))
        columns = (operand if isinstance(operand, tuple) else (operand,) * width for operand in operands)
        return _checked_applications(tuple(zip(*columns, strict=True)))

    def _mention(self, number: int) -> None:
        self._mentions_left -= number
        if self._mentions_left < 0:
            raise Declined


def _parsed(text: str) -> list[tuple[str, int | None, str | None]]:
    """The name of each operand in a list, with its index: a number, or the text of any other index."""
    operands = []
    at = -1
    while at < len(text):
        operand = _OPERAND.match(text, at + 1)
        if operand is None:
            raise Declined
        name, number, index = operand.groups()
        operands.append((name, int(number) if number is not None else None, index))
        at = operand.end()
        if at < len(text) and text[at] != ",":
            raise Declined
    return operands


short_operands = lru_cache(_MAX_CACHED)(_parsed)


def members(operand: Operand) -> tuple[int, ...]:
    return operand if isinstance(operand, tuple) else (operand,)


def _elements(name: str, first: int, size: int | None) -> dict[str, int]:
    """The indices of the bits of a declaration by their text; none for a wide register."""
    if size is None:
        return {name: first}
    return {} if size > _MAX_ELEMENTS else {f"{name}[{number}]": first + number for number in range(size)}


def _operand(first: int, size: int | None) -> Operand:
    """A declared bit, or a register of this size, of which `first` is the first index."""
    return first if size is None else tuple(range(first, first + size))


def _checked_applications(applications: tuple[Qubits, ...]) -> tuple[Qubits, ...]:
    for qubits in applications:
        if len(set(qubits)) != len(qubits):
            raise Declined
    return applications


def _width(size: int | None) -> int:
    width = 1 if size is None else size
    if width < 1:
        raise Declined
    return width


def _range(text: str, size: int) -> range:
    first, *middle, last = text.split(":")
    # Source: OpenQASM 3 grammar, rangeExpression: only a range without a step may leave out its end.
    if len(middle) > 1 or (middle and not last.strip(BLANKS)):
        raise Declined
    step = integer_of(middle[0]) if middle else None
    return positions(size, _end_of_range(first), _end_of_range(last), step)


def _end_of_range(text: str) -> int | None:
    return integer_of(text) if text.strip(BLANKS) else None
