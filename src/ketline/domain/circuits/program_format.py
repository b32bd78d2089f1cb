"""The formats of programs, and those to which they can be converted."""

import re
from enum import StrEnum


class Target(StrEnum):
    """The formats to which a task of kind `convert` can convert a program."""

    OPENQASM3 = "openqasm3"
    OPENQASM2 = "openqasm2"
    QPY = "qpy"
    QIR = "qir"


class QirProfile(StrEnum):
    """The profiles of QIR: `base` has all measurements at the end, `adaptive` may act on their outcomes."""

    BASE = "base"
    ADAPTIVE = "adaptive"


class ProgramFormat(StrEnum):
    """The format of a program; QPY is stored as base64 text."""

    OPENQASM3 = "openqasm3"
    OPENQASM2 = "openqasm2"
    QPY = "qpy"


# Blanks and comments, a byte order mark first, and a header of version 2; possessive, so that it takes linear time.
_OPENQASM2 = re.compile(r"\ufeff?+(?:\s|//[^\r\n]*+|/\*.*?\*/)*+OPENQASM\s++0*+2(?![0-9])", re.DOTALL)


# "QISKIT", with which each QPY file begins, in base64.
_QPY = re.compile(r"UUlTS0lU[A-Za-z0-9+/=\s]*+")


def format_by_header(program: str) -> ProgramFormat:
    """Detect the format of a program by its first bytes; OpenQASM 3 if these do not decide."""
    if _OPENQASM2.match(program):
        return ProgramFormat.OPENQASM2
    return ProgramFormat.QPY if _QPY.fullmatch(program) else ProgramFormat.OPENQASM3
