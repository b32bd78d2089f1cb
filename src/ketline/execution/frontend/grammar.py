"""Parses with the reference parser, extended by two forms that its grammar lacks.

`program.py` parses with it, and `mistakes` checks pieces of a text.

`d = a ++ b` and `f(a ++ b)` are in the text of the specification ("Array concatenation and slicing", "Subroutines"),
although its grammar has `++` in `let` only. Qiskit exports a device's other measurements as `c[0] = measure_2 q[0];`;
in an ideal simulation they are all `measure`.
"""

import re
from itertools import takewhile
from typing import Any

import openqasm3
from antlr4 import CommonTokenStream, InputStream
from antlr4.error.ErrorListener import ErrorListener
from antlr4.error.Errors import ParseCancellationException, RecognitionException
from antlr4.error.ErrorStrategy import BailErrorStrategy
from openqasm3 import ast
from openqasm3._antlr.qasm3Lexer import qasm3Lexer
from openqasm3._antlr.qasm3Parser import qasm3Parser
from openqasm3.parser import QASM3ParsingError, QASMNodeVisitor, add_span, get_span

_NAMED_MEASUREMENT = re.compile(r"measure_[0-9]+")
_EXTENDED = re.compile(rf"\+\+|{_NAMED_MEASUREMENT.pattern}")


class _LexerError(Exception):
    pass


class _Raising(ErrorListener):  # type: ignore[misc]
    def syntaxError(self, *_details: Any) -> None:  # noqa: N802 - the runtime's name
        raise _LexerError


class _Visitor(QASMNodeVisitor):  # type: ignore[misc]
    def visitAdditiveExpression(self, ctx: Any) -> Any:  # noqa: N802 - the parser's name
        if ctx.op.text != "++":
            return super().visitAdditiveExpression(ctx)
        joined = ast.Concatenation(lhs=self.visit(ctx.expression(0)), rhs=self.visit(ctx.expression(1)))
        return add_span(joined, get_span(ctx))


def parse(text: str) -> Any:
    """The tree of a program.

    Raises:
        QASM3ParsingError: the text is not a program; its cause has the place.
    """
    if not _EXTENDED.search(text):
        return openqasm3.parse(text)
    try:
        tree = _parser(_lexer(text)).program()
    except (RecognitionException, ParseCancellationException) as error:
        raise QASM3ParsingError from error
    except _LexerError:
        return openqasm3.parse(text)  # which says where
    return _Visitor().visitProgram(tree)


def offending(text: str) -> int | None:
    """The offset of the first token that the grammar does not accept; None if the text is a program."""
    lexer = _lexer(text)
    try:
        _parser(lexer).program()
    except (RecognitionException, ParseCancellationException) as error:
        return _offset(error, text)
    except _LexerError:
        return int(lexer._tokenStartCharIndex)  # noqa: SLF001 - the listener does not get it
    return None


def _lexer(text: str) -> Any:
    lexer = qasm3Lexer(InputStream(text))
    lexer.removeErrorListeners()
    lexer.addErrorListener(_Raising())
    return lexer


def _parser(lexer: Any) -> Any:
    stream = CommonTokenStream(lexer)
    if _EXTENDED.search(str(lexer.inputStream)):
        stream.fill()
        _extend([token for token in stream.tokens if token.channel == token.DEFAULT_CHANNEL])
    parser = qasm3Parser(stream)
    parser.removeErrorListeners()
    parser._errHandler = BailErrorStrategy()  # noqa: SLF001 - the runtime for Python has no setter
    return parser


def _offset(error: BaseException, text: str) -> int:
    for candidate in (error, *error.args, error.__cause__):
        token = getattr(candidate, "offendingToken", None)
        if token is not None:
            return len(text) if token.type == token.EOF else int(token.start)
    return len(text)


def _extend(tokens: list[Any]) -> None:
    """Change the types of the tokens of both forms so that the grammar accepts them; their texts stay."""
    in_alias = False
    for at, token in enumerate(tokens):
        in_alias = token.type == qasm3Lexer.LET or (in_alias and token.type != qasm3Lexer.SEMICOLON)
        if token.type == qasm3Lexer.DOUBLE_PLUS and not in_alias:
            token.type = qasm3Lexer.PLUS
        elif _is_named_measurement(tokens, at):
            token.type = qasm3Lexer.MEASURE


def _is_named_measurement(tokens: list[Any], at: int) -> bool:
    """Whether a token is the name of a measurement in its place: `= measure_2 q`, or `measure_2 q -> c`."""
    token, operand = tokens[at], tokens[at + 1 : at + 2]
    if token.type != qasm3Lexer.Identifier or not _NAMED_MEASUREMENT.fullmatch(token.text):
        return False
    if not operand or operand[0].type not in (qasm3Lexer.Identifier, qasm3Lexer.HardwareQubit):
        return False
    if at and tokens[at - 1].type == qasm3Lexer.EQUALS:
        return True
    rest = takewhile(lambda one: one.type != qasm3Lexer.SEMICOLON, tokens[at:])
    return any(one.type == qasm3Lexer.ARROW for one in rest)
