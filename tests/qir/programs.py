"""Real programs to convert to QIR: what libraries export, and the programs that tests share."""

from dataclasses import dataclass

from qiskit.qasm3.exceptions import QASM3Error

from benchmarks.library import library_names, library_program
from tests.corpus import has_meaning, specification_examples
from tests.corpus.openqasm2 import openqasm2_programs
from tests.reference import EXAMPLES


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One program of a source; the name is unique within it."""

    source: str
    name: str
    text: str


def library() -> list[Program]:
    """Qiskit's circuits and gates at a small size, but for those that Qiskit cannot export."""
    found = []
    for name in library_names():
        try:
            found.append(Program(source="library", name=name, text=library_program(name)))
        except QASM3Error:
            continue
    return found


def shared() -> list[Program]:
    """The examples of this repository and of the specification, and the programs in OpenQASM 2."""
    examples = {path.name: path.read_text(encoding="utf-8") for path in sorted(EXAMPLES.glob("*.qasm"))}
    specification = {f"openqasm/{name}": text for name, text in specification_examples().items() if has_meaning(text)}
    openqasm2 = {f"openqasm2/{name}": text for name, text in openqasm2_programs().items()}
    texts = {**examples, **specification, **openqasm2}
    return [Program(source="shared", name=name, text=text) for name, text in texts.items()]
