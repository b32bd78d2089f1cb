"""Checks the operands of a gate call: the numbers of parameters and qubits, their sizes, and that qubits differ.

`checker.py` calls it.
"""

from collections.abc import Sequence

from ketline.execution.frontend import messages
from ketline.execution.frontend.openqasm2.cursor import Mistake
from ketline.execution.frontend.openqasm2.operands import Operand
from ketline.execution.frontend.openqasm2.outline import Signature
from ketline.execution.frontend.openqasm2.tokens import Token


def check_call(name: Token, takes: Signature, parameters: Sequence[Token], qubits: Sequence[Operand]) -> None:
    """Compare a call with the gate's signature; `parameters` are the first tokens of the parameters.

    Raises:
        Mistake: it does not fit.
    """
    _check_parameters(name, takes.parameters, parameters, qubits)
    _check_qubits(name, takes.qubits, qubits)
    check_sizes(qubits)
    seen: set[str] = set()
    for qubit in qubits:
        others = seen if qubit.element is None else seen & {qubit.written, qubit.name.text}
        if any(one.partition("[")[0] == qubit.name.text for one in others):
            raise Mistake(qubit.name.start, messages.same_qubit_twice(qubit.written, name.text))
        seen.add(qubit.written)


def check_sizes(qubits: Sequence[Operand]) -> None:
    """Compare the sizes of whole registers in one call.

    Raises:
        Mistake: they differ.
    """
    registers = [one for one in qubits if one.element is None and one.width is not None]
    for one in registers[1:]:
        first = registers[0]
        if one.width != first.width:
            raise Mistake(
                one.name.start,
                f"'{first.written}' has {messages.plural(first.width or 0, 'qubit')} and '{one.written}' has "
                f"{one.width}: registers in one call need the same size",
            )


def _check_parameters(name: Token, takes: int, given: Sequence[Token], qubits: Sequence[Operand]) -> None:
    if len(given) == takes:
        return
    message = f"gate '{name.text}' takes {messages.plural(takes, 'parameter')}, not {len(given)}"
    operands = ", ".join(one.written for one in qubits)
    if len(given) < takes:
        angles = ", ".join(["pi / 2"] * takes)
        what = "it" if takes == 1 else "them"
        raise Mistake(name.start, f"{message}: write {what} in parentheses, as in '{name.text}({angles}) {operands};'")
    example = f": write '{name.text} {operands};'" if not takes else ""
    raise Mistake(given[takes].start, message + example)


def _check_qubits(name: Token, takes: int, given: Sequence[Operand]) -> None:
    if len(given) == takes:
        return
    message = f"gate '{name.text}' takes {messages.plural(takes, 'qubit')}, not {len(given)}"
    place = given[takes].name if len(given) > takes else name
    raise Mistake(place.start, message)
