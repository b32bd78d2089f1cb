"""Cheap checks on a program's text, before any parser sees it: encoding, version, nesting, physical qubits.

`program.py` and the reader of OpenQASM 2 call it; errors and places use its `Position`. `transpiling` asks whether a
text names physical qubits.
"""

import re
from typing import NamedTuple

from ketline.domain.errors import ProgramInvalid, ProgramTooLarge, ProgramUnsupported
from ketline.execution.limits import ExecutionLimits

# Each alternative also matches if it is unterminated, so the scan is linear in the text.
_TOKEN = re.compile(
    r"""//[^\r\n]*
    | /\*(?:.*?\*/|.*)
    | "[^"\n]*"? | '[^'\n]*'?
    | (?P<version>\bOPENQASM\s+(?P<major>\d+)(?:\.(?P<minor>\d+))?)
    | \$(?P<physical>\d+)
    | (?P<open>[(\[{])
    | (?P<close>[)\]}])""",
    re.VERBOSE | re.DOTALL,
)
_PARAMETERS = re.compile(r"\bdef\s+\w+\s*\([^()]*\)")
_OLD_STYLE_BITS = re.compile(r"\bcreg[ \t]+(?P<name>\w+)[ \t]*\[(?P<size>[^\]\r\n]*)\]")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_MINOR_VERSIONS = {"2": {""}, "3": {"", "1"}}


class Position(NamedTuple):
    """A place in a text; both count from 1."""

    line: int
    column: int


def position_of(text: str, offset: int) -> Position:
    return Position(text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset))


def with_bit_parameters(text: str) -> str:
    """The text with `creg c[2]` among a subroutine's parameters replaced by `bit[2] c`, of the same length.

    Both mean the same, but openqasm3 1.0 raises a TypeError for the first.
    """
    if "creg" not in text:
        return text
    return _PARAMETERS.sub(lambda found: _OLD_STYLE_BITS.sub(_as_bits, found[0]), text)


def _as_bits(found: re.Match[str]) -> str:
    return f"bit[{found['size']}] {found['name']}".ljust(len(found[0]))


def check_text(text: str, limits: ExecutionLimits, major_version: str = "3") -> None:
    """Check a text before the parser of this version reads it.

    Raises:
        ProgramInvalid, ProgramUnsupported, ProgramTooLarge: it must not be parsed.
    """
    if bad := _UNSTORABLE.search(text):
        line, column = position_of(text, bad.start())
        message = f"the text holds the character U+{ord(bad[0]):04X}, which no program may hold: remove it"
        raise ProgramInvalid(message, line=line, column=column)
    if not text.strip():
        raise ProgramInvalid("the program is empty", line=1, column=1)
    depth = 0
    for token in _TOKEN.finditer(text):
        match token.lastgroup:
            case "open":
                depth += 1
                if depth > limits.max_nesting:
                    _reject_nesting(text, token.start(), limits)
            case "close":
                depth -= 1
            case "version" | "major" | "minor":
                _check_version(text, token, major_version)
            case "physical":
                _check_physical_qubit(text, token, limits)


def names_physical_qubits(text: str) -> bool:
    """Whether a program in OpenQASM names physical qubits, as `$0`."""
    return "$" in text and any(token.lastgroup == "physical" for token in _TOKEN.finditer(text))


def _reject_nesting(text: str, offset: int, limits: ExecutionLimits) -> None:
    line, column = position_of(text, offset)
    raise ProgramUnsupported(f"brackets nest more than {limits.max_nesting} deep", line=line, column=column)


def _check_version(text: str, token: re.Match[str], expected: str) -> None:
    major, minor = token["major"].lstrip("0"), (token["minor"] or "").lstrip("0")
    if major == expected and minor in _MINOR_VERSIONS[major]:
        return
    line, column = position_of(text, token.start())
    if major in _MINOR_VERSIONS and major != expected:
        message = f"the header says OpenQASM {major}, but 'format' says openqasm{expected}: leave 'format' out"
    else:
        message = "this version of OpenQASM is not known here; Ketline runs OpenQASM 2.0, 3.0 and 3.1"
    raise ProgramUnsupported(message, line=line, column=column)


def _check_physical_qubit(text: str, token: re.Match[str], limits: ExecutionLimits) -> None:
    digits = token["physical"].lstrip("0")
    if len(digits) <= len(str(limits.max_qubits)) and int(digits or "0") < limits.max_qubits:
        return
    line, column = position_of(text, token.start())
    raise ProgramTooLarge(f"physical qubits are numbered $0 to ${limits.max_qubits - 1} here", line=line, column=column)
