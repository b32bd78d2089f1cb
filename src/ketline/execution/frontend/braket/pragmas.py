"""The pragmas of Amazon Braket: applies gates given by a matrix, and rejects pragmas that would change results.

Source: BraketPragmasParser.g4 of amazon-braket-default-simulator.
"""

import re
from dataclasses import dataclass
from typing import Any

import openqasm3
from openqasm3 import ast
from openqasm3.parser import QASM3ParsingError

from ketline.execution.frontend.braket.matrices import matrix_of
from ketline.execution.frontend.diagnosis import invalid, unsupported

_PRAGMA = re.compile(r"braket\s+(?P<kind>\w+)\s*(?P<rest>.*)", re.DOTALL)
_UNITARY = re.compile(r"\((?P<matrix>[^()]*)\)\s*(?P<operands>[^;]+)", re.DOTALL)
_RESULTS = {
    "state_vector": "the state",
    "density_matrix": "the density matrix",
    "amplitude": "amplitudes",
    "expectation": "an expectation value",
    "variance": "a variance",
    "sample": "samples of an observable",
    "adjoint_gradient": "a gradient",
}
_MAX_SHOWN_CHARACTERS = 60


@dataclass
class MatrixName(ast.Identifier):  # type: ignore[misc]
    """The name of a gate that is given by its matrix, which no name in a text can be."""

    matrix: Any = None
    qubits: int = 0


def apply_pragmas(program: Any) -> bool:
    """Replace Braket's pragmas of gates by calls of them; return whether the program has pragmas of Braket.

    Other pragmas stay where they are.

    Raises:
        ProgramUnsupported: a pragma would change the results; the message names it.
        ProgramInvalid: a pragma is malformed.
    """
    found = False
    pending: list[Any] = [program]
    while pending:
        node = pending.pop()
        if isinstance(node, list):
            for place, one in enumerate(node):
                if isinstance(one, ast.Pragma) and (pragma := _PRAGMA.match(one.command)):
                    found = True
                    node[place] = _applied(one, pragma, node[place + 1 : place + 2], program)
        if isinstance(node, (list, tuple)):
            pending.extend(node)
        elif isinstance(node, ast.QASMNode):
            pending.extend(value for name, value in vars(node).items() if name != "span")
    return found


def _applied(node: Any, pragma: re.Match[str], following: list[Any], program: Any) -> Any:
    name = f"pragma {node.command}"
    shown = name if len(name) <= _MAX_SHOWN_CHARACTERS else f"{name[:_MAX_SHOWN_CHARACTERS]}…"
    rest = pragma["rest"].strip()
    match pragma["kind"]:
        case "unitary":
            return _unitary_call(node, rest, program)
        case "noise":
            return node  # rejected with the noise of other tools
        case "verbatim":
            if not following or not isinstance(following[0], ast.Box):
                raise invalid(node, f"'{shown}' stands before a 'box'")
        case "result":
            _check_result(node, rest, shown)
        case _:
            raise unsupported(node, f"'{shown}' is no pragma of Amazon Braket that is known here: remove it")
    return node


def _check_result(node: Any, rest: str, shown: str) -> None:
    """Reject all results but probabilities, which the counts have."""
    kind = (re.match(r"\w*", rest) or [""])[0]
    if kind == "probability":
        return
    if kind not in _RESULTS:
        raise unsupported(node, f"'{shown}' asks for a result that is not known here: remove it")
    advice = "remove it"
    if kind == "expectation":
        advice += ", and give the observable in the task's 'observables', such as {\"ZZ\": 1}"
    raise unsupported(node, f"'{shown}' asks for {_RESULTS[kind]}, and the result of a task is its counts: {advice}")


def _unitary_call(node: Any, rest: str, program: Any) -> Any:
    parts = _UNITARY.fullmatch(rest)
    if parts is None:
        raise invalid(node, "this pragma is written '#pragma braket unitary([[...], [...]]) q[0]'")
    operands = _operands(node, parts["operands"], program)
    matrix = matrix_of(node, parts["matrix"], len(operands))
    for one in operands:
        _give_span(one, node.span)
    # Braket's first qubit is the most significant bit of an index, Qiskit's the least significant.
    identifier = MatrixName(f"unitary of line {node.span.start_line}", matrix, len(operands))
    call = ast.QuantumGate(modifiers=[], name=identifier, arguments=[], qubits=operands[::-1], duration=None)
    identifier.span = call.span = node.span
    return call


def _operands(node: Any, text: str, program: Any) -> list[Any]:
    try:
        (call,) = openqasm3.parse(f"x {text};").statements
    except (QASM3ParsingError, ValueError) as error:
        raise invalid(node, f"'{text.strip()[:_MAX_SHOWN_CHARACTERS]}' is no list of qubits") from error
    single = {
        one.qubit.name for one in program.statements if isinstance(one, ast.QubitDeclaration) and one.size is None
    }
    for operand in call.qubits:
        if isinstance(operand, ast.Identifier) and not operand.name.startswith("$") and operand.name not in single:
            raise unsupported(
                node, f"'{operand.name}' is not a single qubit: name each qubit, as in '{operand.name}[0]'"
            )
    found: list[Any] = call.qubits
    return found


def _give_span(root: Any, span: Any) -> None:
    """Give a tree that was parsed from a part of a line the place of the line."""
    pending = [root]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.QASMNode):
            node.span = span
            pending.extend(value for name, value in vars(node).items() if name != "span")
        elif isinstance(node, (list, tuple)):
            pending.extend(node)
