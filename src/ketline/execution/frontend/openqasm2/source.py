"""Prepares the text of an OpenQASM 2 program for Qiskit's reader, without moving any character."""

import re
from collections.abc import Collection

_COMMENT = re.compile(r'"[^"\r\n]*"?|//[^\r\n]*')
_KNOWN = re.compile(r'\binclude\s*"qelib1\.inc"\s*;|\bopaque\s+delay\s*\(\s*\w+\s*\)\s*\w+\s*;')
# By these names Qiskit takes a gate for an instruction of its own, and looks for what only that has.
_MISTAKEN = ("store", "pauli_product_measurement", "pauli_product_rotation")
_VISIBLE = re.compile(r"\S")


def without_comments(text: str) -> str:
    return _COMMENT.sub(lambda found: found[0] if found[0][0] == '"' else " " * len(found[0]), text)


def without_known_declarations(text: str) -> str:
    """The text without includes of qelib1.inc and declarations of `delay`, which are known without them.

    Qiskit's reader confuses gates when a gate that it knows is declared opaque.
    """
    return _KNOWN.sub(lambda found: _VISIBLE.sub(" ", found[0]), text)


def with_other_names(text: str, gates: Collection[str]) -> str:
    """The text with new names of the same length for its own gates that Qiskit would confuse with others."""
    for name in _MISTAKEN:
        if name in gates:
            text = re.sub(rf"\b{name}\b", _unused(name, text), text)
    return text


def _unused(name: str, text: str) -> str:
    candidates = (f"{name[:-3]}{number:03}" for number in range(1000))
    return next((one for one in candidates if one not in text), name)
