"""Draws a program's circuit as text, SVG or flat OpenQASM 3; the executor calls `draw`."""

import warnings
from typing import Any, NamedTuple

from qiskit.qasm3 import Exporter, QASM3ExporterError

from ketline.domain.errors import ProgramTooLarge, ProgramUnsupported
from ketline.domain.tasks.inspection import Drawing
from ketline.execution.circuit.passes.inlining import rewritten
from ketline.execution.circuit.passes.lowered import AER_GATES, NO_GATES, Lowered
from ketline.execution.drawing.layout import arrange
from ketline.execution.drawing.registers import with_registers
from ketline.execution.drawing.svg import render
from ketline.execution.frontend.importer.gates import STANDARD_GATES
from ketline.execution.frontend.parsed_program import ParsedProgram
from ketline.execution.limits import ExecutionLimits

_FLAT = STANDARD_GATES | NO_GATES | {"barrier", "u"}
_SHOWN = _FLAT | AER_GATES
_TEXT_WIDTH = 120
_MAX_NAME_CHARACTERS = 100
_COMPUTED = "// The counts of this program show each measurement; those of its source are computed from them.\n"


class Largest(NamedTuple):
    """The largest circuit that a format shows legibly and quickly."""

    qubits: int
    operations: int


LARGEST = {Drawing.SVG: Largest(32, 500), Drawing.TEXT: Largest(64, 1000)}


def draw(parsed: ParsedProgram, drawing: Drawing, limits: ExecutionLimits, *, timed: bool = False) -> str:
    """Draw a program's circuit, with loops unrolled and the program's own gates inlined; with `timed` its delays too.

    Raises:
        ProgramTooLarge: it has more qubits or operations than this format can show.
        ProgramUnsupported: it cannot be written in this format.
    """
    gates = (_FLAT if drawing is Drawing.FLAT else _SHOWN) | ({"delay"} if timed else set())
    shown = rewritten(parsed.circuit, gates, limits.max_operations, parsed.genuine)
    if drawing is not Drawing.FLAT:
        _require_room(shown, drawing)
    text = _drawn(parsed, shown.circuit, drawing)
    if len(text) > limits.max_result_bytes:
        raise ProgramTooLarge(f"the circuit takes more than {limits.max_result_bytes >> 20} MiB of text")
    return text


def _drawn(parsed: ParsedProgram, shown: Any, drawing: Drawing) -> str:
    # Where bits are computed from measurements, the groups of the counts key are not those of the circuit's bits.
    circuit = with_registers(shown, parsed.groups if parsed.outcome is None else ())
    match drawing:
        case Drawing.TEXT:
            return _characters(circuit)
        case Drawing.SVG:
            return render(arrange(circuit))
        case Drawing.FLAT:
            return _flat(circuit, computed=parsed.outcome is not None)


def _characters(circuit: Any) -> str:
    with warnings.catch_warnings():
        # Qiskit warns that it draws bits instead of registers where a condition reads single bits.
        warnings.simplefilter("ignore", RuntimeWarning)
        drawn = circuit.draw("text", fold=_TEXT_WIDTH)
    drawn.encoding = "utf-8"  # the default is the terminal's, which a child process does not have
    return f"{drawn}\n"


def _flat(circuit: Any, *, computed: bool) -> str:
    # With constants, angles close to a fraction of pi would be rounded to that fraction.
    exporter = Exporter(disable_constants=True)
    try:
        text: str = exporter.dumps(circuit)
    except (QASM3ExporterError, KeyError) as error:
        # The circuit is written without registers that share their bits with others.
        raise ProgramUnsupported(
            "this circuit cannot be written flat: a condition reads bits by a second name"
        ) from error
    head, _, body = text.partition("\n")
    return f"{head}\n{_COMPUTED if computed else ''}{body}"


def _require_room(shown: Lowered, drawing: Drawing) -> None:
    most = LARGEST[drawing]
    qubits, operations = shown.circuit.num_qubits, sum(shown.operations.values())
    if qubits > most.qubits or operations > most.operations:
        others = "format=text and format=flat hold more" if drawing is Drawing.SVG else "format=flat holds more"
        raise ProgramTooLarge(
            f"a drawing as '{drawing}' holds up to {most.qubits} qubits and {most.operations} operations, and this "
            f"circuit has {qubits} and {operations}: {others}"
        )
    if any(len(register.name) > _MAX_NAME_CHARACTERS for register in (*shown.circuit.qregs, *shown.circuit.cregs)):
        raise ProgramTooLarge(
            f"a drawing holds names of up to {_MAX_NAME_CHARACTERS} characters: format=flat holds more"
        )
