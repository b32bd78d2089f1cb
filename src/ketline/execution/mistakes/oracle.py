"""Asks the grammar of the reference parser whether a piece of text is what it should be."""

from typing import Any

from antlr4 import CommonTokenStream, InputStream
from antlr4.error.ErrorListener import ErrorListener
from antlr4.error.Errors import ParseCancellationException, RecognitionException
from antlr4.error.ErrorStrategy import BailErrorStrategy
from openqasm3._antlr.qasm3Lexer import qasm3Lexer
from openqasm3._antlr.qasm3Parser import qasm3Parser


class _LexerError(Exception):
    pass


class _Raising(ErrorListener):  # type: ignore[misc]
    def syntaxError(self, *_details: Any) -> None:  # noqa: N802 - the runtime's name
        raise _LexerError


def offending(text: str) -> int | None:
    """The offset in a text of the first token that the grammar does not take, or None: the text is a program."""
    lexer = qasm3Lexer(InputStream(text))
    lexer.removeErrorListeners()
    lexer.addErrorListener(_Raising())
    parser = qasm3Parser(CommonTokenStream(lexer))
    parser.removeErrorListeners()
    parser._errHandler = BailErrorStrategy()  # noqa: SLF001 - the runtime for Python has no setter
    try:
        parser.program()
    except (RecognitionException, ParseCancellationException) as error:
        return _offset(error, text)
    except _LexerError:
        return int(lexer._tokenStartCharIndex)  # noqa: SLF001 - the listener is not told
    return None


def is_program(text: str) -> bool:
    return offending(text) is None


def _offset(error: BaseException, text: str) -> int:
    for candidate in (error, *error.args, error.__cause__):
        token = getattr(candidate, "offendingToken", None)
        if token is not None:
            return len(text) if token.type == token.EOF else int(token.start)
    return len(text)
