"""Converts errors of the parser, the importer and Qiskit into ours, with a place in the program.

All front ends of OpenQASM 3 behind the parser raise their errors with it.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from openqasm3 import ast
from openqasm3.parser import QASM3ParsingError
from qiskit_qasm3_import import ConversionError

from ketline.domain.errors import ExecutionFailed, ProgramInvalid, ProgramUnsupported
from ketline.execution.frontend.text import Position, position_of

_CONSTRUCTS = {
    "AngleType": "variables of type 'angle'",
    "ArrayLiteral": "array literals",
    "ArrayType": "arrays",
    "BoolType": "variables of type 'bool'",
    "BranchingStatement": "'if'",
    "CalibrationDefinition": "'defcal'",
    "CalibrationGrammarDeclaration": "'defcalgrammar'",
    "CalibrationStatement": "'cal'",
    "Cast": "type casts",
    "ClassicalAssignment": "assignments to classical variables, other than of a measurement,",
    "ClassicalDeclaration": "classical variables",
    "ComplexType": "variables of type 'complex'",
    "ConstantDeclaration": "'const' declarations",
    "DelayInstruction": "'delay'",
    "DurationOf": "'durationof'",
    "DurationType": "variables of type 'duration'",
    "EndStatement": "'end'",
    "ExpressionStatement": "calls and bare expressions",
    "ExternDeclaration": "'extern'",
    "FloatType": "variables of type 'float'",
    "ForInLoop": "'for'",
    "FunctionCall": "function calls",
    "ImaginaryLiteral": "imaginary numbers",
    "IntType": "variables of type 'int'",
    "IODeclaration": "'input' and 'output'",
    "QuantumMeasurement": "'measure' at this place",
    "ReturnStatement": "'return'",
    "SizeOf": "'sizeof'",
    "StretchType": "'stretch'",
    "SubroutineDefinition": "'def' subroutines",
    "SwitchStatement": "'switch'",
    "UintType": "variables of type 'uint'",
    "WhileLoop": "'while'",
}

# The importer has one error class for mistakes and for unsupported features; the wording distinguishes them.
_MISTAKES = re.compile(
    "is already defined|is not defined|Undefined symbol|, not a gate|mismatched lengths"
    "|^required a|not visible in the scope|Illegal qubit reference|only be declared globally|^type error"
)
_IMPORTER_PLACE = re.compile(r"(\d+),(\d+): (.*)", re.DOTALL)
_PARSER_PLACE = re.compile(r"L(\d+):C(\d+): (.*)", re.DOTALL)
_NODE_NAME = re.compile(r"'(\w+)' cannot be resolved into a Qiskit value")
_DECLARED_TWICE = re.compile(r"Symbol '(.*)' already inserted in symbol table in this scope: .*")
_LONG_NUMBER = re.compile(r"[0-9_]{4300,}")
_TOO_DEEP = "the program nests too deeply"


def construct(node: object) -> str:
    """The name of a node's construct in messages."""
    name = type(node).__name__
    return _CONSTRUCTS.get(name, f"'{name}'")


def not_supported(node: object) -> str:
    name = construct(node)
    verb = "is" if name.startswith("'") and "and" not in name else "are"
    return f"{name} {verb} not supported"


def invalid(node: Any, message: str) -> ProgramInvalid:
    line, column = _span_start(node)
    return ProgramInvalid(message, line=line, column=column)


def unsupported(node: Any, message: str) -> ProgramUnsupported:
    line, column = _span_start(node)
    return ProgramUnsupported(message, line=line, column=column)


@contextmanager
def parser_errors(text: str) -> Iterator[None]:
    """Convert errors while parsing into ours."""
    try:
        yield
    except ExecutionFailed:
        raise
    except QASM3ParsingError as error:
        raise _parsing_error(error, text) from error
    except RecursionError as error:
        raise ProgramUnsupported(_TOO_DEEP) from error
    except MemoryError:
        raise
    except Exception as error:
        # The parser's visitor raises other errors on some malformed programs.
        raise _unreadable(text) from error


@contextmanager
def statement_errors(node: Any) -> Iterator[None]:
    """Convert errors at this statement into ours."""
    try:
        yield
    except ExecutionFailed:
        raise
    except ConversionError as error:
        raise _conversion_error(error, node) from error
    except MemoryError:
        raise
    except Exception as error:
        raise _plain_mistake(error, node) from error


def fix_identifier_spans(program: ast.Program, text: str) -> None:
    """Set the columns of identifiers, where openqasm3 1.0 has offsets."""
    pending: list[Any] = [program]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Identifier) and node.span is not None:
            _fix_span(node, text)
        elif isinstance(node, ast.QASMNode):
            pending.extend(vars(node).values())
        elif isinstance(node, (list, tuple)):
            pending.extend(node)


def _fix_span(node: Any, text: str) -> None:
    offset = node.span.start_column
    if text.startswith(node.name, offset):
        line, column = position_of(text, offset)
        if line == node.span.start_line:
            node.span = ast.Span(line, column - 1, line, column - 2 + len(node.name))


def _span_start(node: Any) -> Position | tuple[None, None]:
    span = getattr(node, "span", None)
    return (None, None) if span is None else Position(span.start_line, span.start_column + 1)


def _parsing_error(error: QASM3ParsingError, text: str) -> ProgramInvalid:
    if found := _PARSER_PLACE.fullmatch(str(error)):
        line, column, message = found.groups()
        message = message.replace("token recognition error at:", "these characters mean nothing here:")
        return ProgramInvalid(message, line=int(line), column=int(column) + 1)
    token = _offending_token(error)
    if token is None:
        return ProgramInvalid("the program is not valid OpenQASM 3, and the parser does not say where")
    if token.type == token.EOF:
        end = position_of(text, len(text.rstrip()))
        return ProgramInvalid(
            "the program ends in the middle of a statement: a ';' or a closing bracket is missing",
            line=end.line,
            column=end.column,
        )
    return ProgramInvalid(
        f"'{token.text[:40]}' is not expected here: look for a mistake right before it",
        line=token.line,
        column=token.column + 1,
    )


def _unreadable(text: str) -> ProgramInvalid:
    """The error for a literal that Python cannot convert to a number, the only known cause of this exception."""
    if found := _LONG_NUMBER.search(text):
        line, column = position_of(text, found.start())
        return ProgramInvalid("this number has too many digits", line=line, column=column)
    return ProgramInvalid("the program is not valid OpenQASM 3, and the parser does not say where")


def _offending_token(error: BaseException) -> Any:
    """The offending token, from the cause of the parser's error, or from that error's argument."""
    cause = error.__cause__
    for candidate in (cause, *(cause.args if cause is not None else ())):
        if (token := getattr(candidate, "offendingToken", None)) is not None:
            return token
    return None


def _conversion_error(error: Any, node: Any) -> ExecutionFailed:
    line, column = _span_start(node)
    message = str(error.message)
    if found := _IMPORTER_PLACE.fullmatch(message):
        line, column, message = int(found[1]), int(found[2]) + 1, found[3]
    if unresolved := _NODE_NAME.fullmatch(message):
        name = _CONSTRUCTS.get(unresolved[1], f"'{unresolved[1]}'")
        message = f"{name} cannot be used here"
    message = _DECLARED_TWICE.sub(r"'\1' is already defined", message)
    kind = ProgramInvalid if _MISTAKES.search(message) else ProgramUnsupported
    return kind(message, line=line, column=column)


def _plain_mistake(error: Exception, node: Any) -> ExecutionFailed:
    """Our message for an error that Qiskit raises; its own messages are about Python."""
    match error:
        case IndexError():
            return invalid(node, "an index in this statement is out of range")
        case ZeroDivisionError():
            return invalid(node, "division by zero: the right side of '/' or '%' is 0")
        case OverflowError():
            return invalid(node, "a number is too large")
        case RecursionError():
            return unsupported(node, _TOO_DEEP)
        case TypeError() | AttributeError():
            return unsupported(
                node, f"{construct(node)} cannot be used so: it needs constants where it has other values"
            )
        case _:
            return invalid(
                node,
                f"{construct(node)} cannot be used so: check its operands and their types against what is declared",
            )
