"""Finds all mistakes of a program that Qiskit's reader rejects, each with its place. Used by `reader.py`."""

import re
from collections.abc import Callable, Mapping, Sequence

from ketline.domain.errors import ExecutionFailed, ProgramUnsupported
from ketline.execution.frontend import messages
from ketline.execution.frontend.mistakes import MAX_MISTAKES
from ketline.execution.frontend.openqasm2.angles import FUNCTION_NAMES, Angles
from ketline.execution.frontend.openqasm2.calls import check_call
from ketline.execution.frontend.openqasm2.cursor import Cursor, Mistake
from ketline.execution.frontend.openqasm2.declarations import (
    WORDS,
    Declarations,
    Register,
    declared_names,
    require_name,
)
from ketline.execution.frontend.openqasm2.operands import Operands
from ketline.execution.frontend.openqasm2.outline import Signature
from ketline.execution.frontend.openqasm2.tokens import Token

_MAX_DIGITS = 9
_VERSION = re.compile(r"[0-9]+(\.[0-9]+)?")
_FORMS = {
    "OPENQASM": "'OPENQASM 2.0;'",
    "include": "'include \"qelib1.inc\";'",
    "qreg": "'qreg q[2];'",
    "creg": "'creg c[2];'",
    "gate": "'gate g(theta) a, b { rx(theta) a; cx a, b; }'",
    "opaque": "'opaque g(theta) a, b;'",
    "if": "'if (c == 1) x q[0];'",
    "measure": "'measure q[0] -> c[0];'",
    "reset": "'reset q[0];'",
    "barrier": "'barrier q;'",
}


def find_mistakes(text: str) -> list[ExecutionFailed]:
    """The mistakes of a program without comments, 20 at most, in their order; empty if none is found.

    Consequences of other mistakes are left out. The time is proportional to the text.
    """
    return _Checker(text).check()


class _Checker:
    def __init__(self, text: str) -> None:
        self._cursor = Cursor(text)
        self._angles = Angles(self._cursor)
        later, hidden = declared_names(text)
        self._declared = Declarations(later, hidden)
        self._operands = Operands(self._cursor, self._declared)
        self._defining: str | None = None
        self._defined = Signature(0, 0)
        self._mistakes: list[ExecutionFailed] = []
        self._read: Mapping[str, Callable[[], None]] = {
            "OPENQASM": self._header,
            "include": self._include,
            "qreg": self._register,
            "creg": self._register,
            "gate": self._gate,
            "opaque": self._gate,
            "if": self._branch,
            "measure": self._operation,
            "reset": self._operation,
            "barrier": self._operation,
        }

    def check(self) -> list[ExecutionFailed]:
        while not self._cursor.at_end and len(self._mistakes) < MAX_MISTAKES:
            self._cursor.begin()
            try:
                self._statement()
            except Mistake as mistake:
                self._mistakes.append(self._cursor.error(mistake))
                if not mistake.resumes:
                    self._recover()
        return self._mistakes

    def _recover(self) -> None:
        """Continue after a statement; a definition with an invalid head is skipped as a whole."""
        self._cursor.skip_statement()
        if self._cursor.token.text == "{":
            while not self._cursor.at_end and self._cursor.token.text != "}":
                self._cursor.next()
        if self._defining is None:
            self._cursor.skips("}")

    def _statement(self) -> None:
        token = self._cursor.token
        if self._defining is not None and token.text == ";":
            raise Mistake(token.start, "this ';' ends no statement: remove it")
        if self._cursor.skips(";"):
            return
        if token.text == "}" and self._defining is not None:
            self._cursor.next()
            self._leave()
            return
        if token.kind != "name":
            raise self._stray(token)
        if self._defining is not None and token.text in WORDS - {"barrier"}:
            self._leave_if_forgotten(token)
        self._read.get(token.text, self._call)()

    def _stray(self, token: Token) -> Mistake:
        if token.kind == "comment":
            return Mistake(token.start, "'/*' begins a comment in OpenQASM 3 only: write '//' before each line of it")
        if token.text in ("}", ")", "]"):
            return Mistake(token.start, f"'{token.text}' closes nothing: remove it, or write what opens it")
        return Mistake(token.start, f"'{token.text[:40]}' is not expected here: a statement begins with a word")

    def _leave(self) -> None:
        """End the definition of a gate, which can be called from now on."""
        if self._defining is not None:
            self._declared.gates[self._defining] = self._defined
        self._defining, self._angles.parameters, self._operands.arguments = None, (), None

    def _leave_if_forgotten(self, token: Token) -> None:
        if token.text in ("measure", "reset", "if"):
            message = f"'{token.text}' cannot stand in the definition of a gate: it may hold gates and barriers only"
            raise Mistake(token.start, message)
        self._leave()
        raise Mistake(self._cursor.before.end, "'}' is missing at the end of the definition of a gate", resumes=True)

    def _header(self) -> None:
        token = self._cursor.next()
        if self._cursor.before.start != self._cursor.opening.start:
            raise Mistake(token.start, "the header 'OPENQASM 2.0;' stands at the beginning of the program")
        if not _VERSION.fullmatch(self._cursor.token.text):
            raise self._cursor.unexpected("the version is missing", _FORMS["OPENQASM"])
        self._cursor.next()
        self._cursor.expect_semicolon()

    def _include(self) -> None:
        token = self._cursor.next()
        name = self._cursor.expect_kind("string", "the name of a file", _FORMS["include"])
        if name.text == '"stdgates.inc"':
            message = 'stdgates.inc belongs to OpenQASM 3; include "qelib1.inc" instead'
            raise Mistake(token.start, message, ProgramUnsupported)
        if name.text != '"qelib1.inc"':
            message = 'only "qelib1.inc" can be included: write definitions of other files into the program'
            raise Mistake(token.start, message, ProgramUnsupported)
        self._cursor.expect_semicolon()

    def _register(self) -> None:
        word = self._cursor.next().text
        form = _FORMS[word]
        name = self._cursor.expect_kind("name", "the name of the register", form)
        self._declared.registers[name.text] = Register(word == "qreg", None, 0)
        size = self._size(form)
        self._declared.declare(name, self._cursor.line(name.start))
        self._declared.registers[name.text] = Register(word == "qreg", size, self._cursor.line(name.start))
        self._cursor.expect_semicolon()

    def _size(self, form: str) -> int:
        self._cursor.expect("[", form)
        size = int(self._cursor.expect_kind("integer", "the size of the register", form).text[:_MAX_DIGITS])
        self._cursor.expect("]", form)
        return size

    def _gate(self) -> None:
        word = self._cursor.next().text
        form = _FORMS[word]
        name = self._cursor.expect_kind("name", "the name of the gate", form)
        known = self._declared.gates.setdefault(name.text, None)  # of a gate with a wrong head nothing more is said
        if name.text in FUNCTION_NAMES:
            raise Mistake(name.start, f"'{name.text}' is a function of the language: choose another name")
        parameters = self._bracketed_names(form)
        qubits = self._list_of_names(form)
        self._declared.declare(name, self._cursor.line(name.start))
        self._check_different([*parameters, *qubits])
        if known is None:
            del self._declared.gates[name.text]
        signature = Signature(len(parameters), len(qubits))
        if word == "opaque":
            self._declared.gates[name.text] = signature
            self._cursor.expect_semicolon()
            return
        self._cursor.expect("{", form)
        self._defining = name.text
        self._defined = signature
        self._angles.parameters = [one.text for one in parameters]
        self._operands.arguments, self._operands.gate = [one.text for one in qubits], name.text

    def _bracketed_names(self, form: str) -> Sequence[Token]:
        if not self._cursor.skips("("):
            return ()
        names = () if self._cursor.token.text == ")" else self._list_of_names(form)
        self._cursor.expect(")", form)
        return names

    def _list_of_names(self, form: str) -> Sequence[Token]:
        names = [self._cursor.expect_kind("name", "a name", form)]
        while self._cursor.skips(","):
            if self._cursor.token.kind == "name":
                names.append(self._cursor.next())
        return names

    def _check_different(self, names: Sequence[Token]) -> None:
        seen: set[str] = set()
        for name in names:
            require_name(name)
            if name.text in seen:
                raise Mistake(name.start, f"'{name.text}' is named twice: each needs a name of its own")
            seen.add(name.text)

    def _branch(self) -> None:
        form = _FORMS["if"]
        self._cursor.next()
        self._cursor.expect("(", form)
        token = self._cursor.token
        name = self._cursor.expect_kind("name", "a register of bits", form)
        self._declared.register(name, is_quantum=False)
        if self._cursor.token.text == "[":
            message = "an 'if' compares a whole register in OpenQASM 2: declare a register of one bit for this one"
            raise Mistake(token.start, message)
        if self._cursor.token.text == "=":
            raise Mistake(self._cursor.token.start, "values are compared with '==', as in 'if (c == 1) x q[0];'")
        self._cursor.expect("==", form)
        self._cursor.expect_kind("integer", "a whole number", form)
        self._cursor.expect(")", form)
        self._under_condition()

    def _under_condition(self) -> None:
        token = self._cursor.token
        if token.text == "{":
            message = "an 'if' has one statement and no braces in OpenQASM 2: write it before each statement"
            raise Mistake(token.start, message)
        if token.text in ("measure", "reset"):
            self._operation()
        elif token.kind != "name" or token.text in WORDS:
            message = f"'{token.text[:40]}' cannot stand under an 'if': a gate, 'measure' or 'reset' can"
            raise Mistake(token.start, message)
        else:
            self._call()

    def _operation(self) -> None:
        word = self._cursor.next().text
        form = _FORMS[word]
        if word == "measure":
            self._measured(form)
        elif word == "reset":
            self._operands.one(form)
        else:
            self._operands.list(form)
        self._cursor.expect_semicolon()

    def _measured(self, form: str) -> None:
        qubit = self._operands.one(form)
        if self._cursor.token.text in (";", "="):
            example = "c" if qubit.element is None else "c[0]"
            message = f"the bit is missing: write 'measure {qubit.written} -> {example};'"
            raise Mistake(self._cursor.token.start, message)
        self._cursor.expect("->", form)
        bit = self._operands.one(form, is_quantum=False)
        if qubit.width is not None and bit.width is not None and qubit.width != bit.width:
            raise Mistake(bit.name.start, messages.measured_widths(qubit.width, bit.width, bit.name.text))

    def _call(self) -> None:
        name = self._cursor.token
        self._reject_assignment()
        takes = self._declared.gate(name, self._defining)
        self._cursor.next()
        parameters = self._parameters(name)
        qubits = self._operands.list("'rx(pi / 2) q[0];' or 'cx q[0], q[1];'")
        if takes is not None:
            check_call(name, takes, parameters, qubits)
        self._cursor.expect_semicolon()

    def _parameters(self, name: Token) -> Sequence[Token]:
        if not self._cursor.skips("("):
            return ()
        starts = []
        if self._defining is None and self._cursor.token.text in self._declared.registers:
            example = f"'{name.text} {self._cursor.token.text}[0];'"
            message = f"the qubits of a gate stand behind it, without parentheses: write {example}"
            raise Mistake(self._cursor.token.start, message)
        while self._cursor.token.text != ")":
            starts.append(self._cursor.token)
            self._angles.read()
            if not self._cursor.skips(","):
                break
        self._cursor.expect(")", "'rx(pi / 2) q[0];'")
        return starts

    def _reject_assignment(self) -> None:
        """Report `c = measure q;` and `c[0] = measure q[0];`, with the form of OpenQASM 2."""
        indexed = self._cursor.ahead(1).text == "["
        if self._cursor.ahead(4 if indexed else 1).text == "=":
            message = "OpenQASM 2 has no assignments: a measurement is written 'measure q[0] -> c[0];'"
            raise Mistake(self._cursor.token.start, message)
