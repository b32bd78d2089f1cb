"""Binds the arguments of a call to the parameters of a subroutine. Used by `statements.py`."""

from typing import Any

from openqasm3 import ast

from ketline.domain.errors import ProgramInvalid, ProgramUnsupported
from ketline.execution.frontend.messages import plural
from ketline.execution.frontend.unroller.budget import error_location
from ketline.execution.frontend.unroller.expressions import Evaluator
from ketline.execution.frontend.unroller.kinds import Kind, convert
from ketline.execution.frontend.unroller.memory import Qubits, Symbol, Variable
from ketline.execution.frontend.unroller.quantum import QuantumStatements
from ketline.execution.frontend.unroller.values import Measured


def bind_arguments(call: Any, definition: Any, evaluator: Evaluator, quantum: QuantumStatements) -> dict[str, Symbol]:
    """The values of a subroutine's parameters in one call: qubits and arrays by reference, other values by copy.

    Source: OpenQASM 3 specification, "Subroutines".
    """
    takes, given = len(definition.arguments), len(call.arguments)
    if takes != given:
        raise ProgramInvalid(f"subroutine '{definition.name.name}' takes {plural(takes, 'argument')}, not {given}")
    symbols: dict[str, Symbol] = {}
    for parameter, argument in zip(definition.arguments, call.arguments, strict=True):
        with error_location(argument):
            if isinstance(parameter, ast.QuantumArgument):
                symbols[parameter.name.name] = _qubits(parameter, argument, evaluator, quantum)
            elif isinstance(parameter.type, ast.ArrayReferenceType):
                symbols[parameter.name.name] = _array(parameter, argument, evaluator)
            else:
                kind = evaluator.kind(parameter.type)
                symbols[parameter.name.name] = Variable(kind, evaluator.evaluate_as(argument, kind))
    _check_qubits_differ(symbols)
    return symbols


def _qubits(parameter: Any, argument: Any, evaluator: Evaluator, quantum: QuantumStatements) -> Qubits:
    chosen = quantum.operand(argument)
    if isinstance(chosen, Measured):
        raise ProgramUnsupported("a qubit that depends on a measurement cannot be passed to a subroutine")
    width = None if parameter.size is None else evaluator.width(parameter.size)
    given = len(chosen) if isinstance(chosen, tuple) else 1
    if given != (width or 1):
        raise ProgramInvalid(f"parameter '{parameter.name.name}' takes {plural(width or 1, 'qubit')}, not {given}")
    if width is None:
        return Qubits(chosen[0] if isinstance(chosen, tuple) else chosen)
    return Qubits(chosen if isinstance(chosen, tuple) else (chosen,))


def _check_qubits_differ(symbols: dict[str, Symbol]) -> None:
    seen: set[int] = set()
    for symbol in symbols.values():
        if isinstance(symbol, Qubits):
            chosen = symbol.selection if isinstance(symbol.selection, tuple) else (symbol.selection,)
            if not seen.isdisjoint(chosen) or len(set(chosen)) != len(chosen):
                raise ProgramInvalid("a subroutine needs different qubits for its parameters")
            seen.update(chosen)


def _array(parameter: Any, argument: Any, evaluator: Evaluator) -> Variable:
    if isinstance(argument, ast.Concatenation):
        raise ProgramInvalid("'++' of arrays cannot be an argument: assign it to an array first, and pass that")
    typed = evaluator.evaluate(argument)
    kind = _array_kind(parameter.type, typed.kind, evaluator)
    if parameter.access is not ast.AccessControl.mutable:
        return Variable(kind, convert(typed, kind), constant=True)
    if not isinstance(argument, ast.Identifier):
        raise ProgramUnsupported("only a whole array can be passed to a mutable parameter")
    variable = evaluator.looked_up(argument)
    if not isinstance(variable, Variable) or variable.constant or variable.kind != kind:
        raise ProgramInvalid(f"parameter '{parameter.name.name}' takes a variable of type '{kind}'")
    return variable


def _array_kind(node: Any, given: Kind, evaluator: Evaluator) -> Kind:
    base = evaluator.kind(node.base_type)
    if isinstance(node.dimensions, list):
        return Kind("array", None, base, tuple(evaluator.width(one) for one in node.dimensions))
    count = evaluator.integer(node.dimensions)
    if len(given.dimensions) != count:
        raise ProgramInvalid(f"this takes an array of {plural(count, 'dimension')}")
    return Kind("array", None, base, given.dimensions)
