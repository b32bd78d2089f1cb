"""Removes pragmas and annotations with a warning, and rejects those that would change a program's results.

Those of Ketline stay: `#pragma ketline save NAME` names a place, which the front ends write by `place_of_pragma`.

`program.py` calls it for every parsed program.

Source: OpenQASM 3 specification, "Directives": a pragma or annotation that a tool does not know may be ignored with a
warning, unless the program's meaning depends on it. The words of the directive decide that here.
"""

import re
from collections.abc import Iterator
from typing import Any

from openqasm3 import ast

from ketline.domain.results.result import ProgramWarning, WarningCode
from ketline.execution.circuit.named_places import NamedPlace
from ketline.execution.frontend.diagnosis import invalid, unsupported

# As many as a validation returns; a program can have thousands.
_MAX_WARNINGS = 20
_MAX_NAME_CHARACTERS = 60
_NOISE = re.compile(
    r"(?<![a-z])(?:noise_?model|noise|noisy|kraus|depolari[sz]ing|decoherence|damping|(?:bit|phase)_flip)(?![a-z])",
    re.IGNORECASE,
)


_OWN = re.compile(r"\s*ketline\b(?P<words>.*)", re.DOTALL)
_SAVE = re.compile(r"\s+save\s+(?P<name>[A-Za-z_][A-Za-z0-9_.-]{0,63})\s*")


def remove_directives(program: Any) -> tuple[ProgramWarning, ...]:
    """Remove pragmas and annotations from a parsed program; returns a warning for each, 20 at most.

    Raises:
        ProgramUnsupported: one of them would change the program's results.
    """
    warnings: list[ProgramWarning] = []
    for directive in _removed(program):
        _reject_if_it_changes_results(directive)
        if len(warnings) < _MAX_WARNINGS:
            warnings.append(_warning(directive))
    return tuple(warnings)


def _removed(program: Any) -> Iterator[Any]:
    """Remove the pragmas and annotations of a program, and yield them in the order of its text."""
    pending: list[Any] = [program]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Pragma):
            if not _is_own(node):
                yield node
        elif isinstance(node, ast.QASMNode):
            if annotations := getattr(node, "annotations", None):
                yield from annotations
                node.annotations = []
            pending.extend(value for name, value in reversed(vars(node).items()) if name != "span")
        elif isinstance(node, (list, tuple)):
            pending.extend(reversed(node))
    program.statements = [one for one in program.statements if not isinstance(one, ast.Pragma) or _is_own(one)]


def _is_own(node: Any) -> bool:
    return _OWN.fullmatch(node.command or "") is not None


def place_of_pragma(node: Any, phase: Any) -> NamedPlace:
    """The place that a pragma of Ketline names, with the phase of the program until there.

    Raises:
        ProgramInvalid: it is another pragma of Ketline.
    """
    own = _OWN.fullmatch(node.command or "")
    found = None if own is None else _SAVE.fullmatch(own["words"])
    if found is None:
        raise invalid(
            node,
            f"'{_shortened(_text(node))}' is not known: '#pragma ketline save NAME' names a place for outputs, by up "
            "to 64 letters, digits, '_', '.' and '-', not a digit first",
        )
    return NamedPlace(found["name"], phase=phase)


def _reject_if_it_changes_results(directive: Any) -> None:
    text = _text(directive)
    name = _shortened(text)
    if noise := _NOISE.search(text):
        raise unsupported(
            directive,
            f"'{name}' asks for noise ('{noise[0]}'), which Ketline does not simulate: remove it to have the results "
            "of an ideal machine",
        )


def _warning(directive: Any) -> ProgramWarning:
    is_pragma = isinstance(directive, ast.Pragma)
    kind = "pragma" if is_pragma else "annotation"
    return ProgramWarning(
        code=WarningCode.PRAGMA_IGNORED if is_pragma else WarningCode.ANNOTATION_IGNORED,
        message=f"the {kind} '{_shortened(_text(directive))}' is ignored",
        line=directive.span.start_line,
        column=directive.span.start_column + 1,
    )


def _text(directive: Any) -> str:
    if isinstance(directive, ast.Pragma):
        return f"pragma {directive.command}".rstrip()
    return f"@{directive.keyword} {directive.command or ''}".rstrip()


def _shortened(text: str) -> str:
    return text if len(text) <= _MAX_NAME_CHARACTERS else f"{text[:_MAX_NAME_CHARACTERS]}…"
