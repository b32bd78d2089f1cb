"""The options `--observable`, `--precision` and `--mitigation`: sums of Pauli operators, and how they are found."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from ketline.cli.exit_codes import USAGE_ERROR, fail

ObservableOption = Annotated[
    list[str] | None,
    typer.Option(
        "--observable",
        metavar="SUM",
        help="A sum of Pauli operators, whose expectation value is computed instead of counts: ZZ, '0.5*XX - 2*IZ', "
        "or JSON; exact, or with --shots or --precision an estimate. May be repeated.",
    ),
]
PrecisionOption = Annotated[
    float | None, typer.Option(help="Estimate observables from as many shots as this standard error needs.")
]
MitigationOption = Annotated[
    str | None,
    typer.Option(
        "--mitigation",
        metavar="zne|readout|JSON",
        help="What is done against errors of --noise or --device: zne of observables, readout of these and of counts, "
        'or as {"zne": {"extrapolation": "exponential"}, "readout": true}.',
    ),
]
_SHORT: Mapping[str, Mapping[str, Any]] = {"zne": {"zne": {}}, "readout": {"readout": True}}
_TERM = re.compile(r"\s*([+-])?\s*(?:(\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+)\s*\*\s*)?([IXYZ]+)\s*")


def read_observables(given: Sequence[str] | None) -> list[dict[str, float]] | None:
    """The `observables` of a submission; None without the option."""
    return [_in_json(text) if text.lstrip().startswith("{") else _sum(text) for text in given or ()] or None


def read_mitigation(given: str | None) -> dict[str, Any] | None:
    """The `mitigation` of a submission; None without the option."""
    if given is None:
        return None
    if given in _SHORT:
        return dict(_SHORT[given])
    try:
        found = json.loads(given)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        fail(f'--mitigation takes zne, readout, or JSON as {{"zne": {{}}}}, not {given!r}.', USAGE_ERROR)
    return found


def _in_json(text: str) -> dict[str, float]:
    try:
        found = json.loads(text)
    except ValueError:
        fail(f'--observable takes JSON as {{"ZZ": 1}}, not {text!r}.', USAGE_ERROR)
    return dict(found)


def _sum(text: str) -> dict[str, float]:
    """Parse terms with signs between them; coefficients of equal labels are added."""
    terms: dict[str, float] = {}
    position = 0
    while position < len(text) or not terms:
        term = _TERM.match(text, position)
        if term is None or (terms and not term[1]):
            fail(f"--observable takes a sum as ZZ or '0.5*XX - 2*IZ', not {text!r}.", USAGE_ERROR)
        factor = float(term[2] or 1) * (-1 if term[1] == "-" else 1)
        terms[term[3]] = terms.get(term[3], 0.0) + factor
        position = term.end()
    return terms
