"""The gates that an OpenQASM 2 program can call without definition: those of every qelib1.inc that Qiskit has had.

`reader.py` gives them to Qiskit's reader, and the checks of calls look them up.
"""

import dataclasses
import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from qiskit.circuit import Delay
from qiskit.circuit.library import IGate
from qiskit.qasm2 import LEGACY_CUSTOM_INSTRUCTIONS, CustomInstruction

from ketline.domain.errors import ProgramInvalid
from ketline.execution.frontend.openqasm2.outline import Signature


def _idle(_cycles: float) -> IGate:
    """`u0(n)`, which waits for n cycles; Qiskit's own gate is n identities, however large n is."""
    return IGate()


def _delay(_duration: float) -> Delay:
    """`delay(t)`, which has no effect; Qiskit's own takes only whole and positive numbers."""
    return Delay(0.0, unit="s")


_CONSTRUCTORS = {"u0": _idle, "delay": _delay}
_DEFINED_IN = "qiskit.qasm2.parse"
_INSTRUCTIONS = tuple(
    dataclasses.replace(one, builtin=True, constructor=_CONSTRUCTORS.get(one.name, one.constructor))
    for one in LEGACY_CUSTOM_INSTRUCTIONS
)
LIBRARY_GATES: Mapping[str, Signature] = {one.name: Signature(one.num_params, one.num_qubits) for one in _INSTRUCTIONS}
BUILTIN_GATES: Mapping[str, Signature] = {"U": Signature(3, 1), "CX": Signature(0, 2)}


def instructions(declared: Collection[str]) -> Sequence[CustomInstruction]:
    """The gates for Qiskit's reader, without names that the program itself defines.

    The reader would prefer these gates to the program's own definitions, and reject a register with such a name.
    """
    return [one for one in _INSTRUCTIONS if one.name not in declared]


def is_genuine(operation: Any) -> bool:
    """Whether an operation is Qiskit's own operation of its name, and not one that the program defines.

    Raises:
        ProgramInvalid: it has an angle that is not a finite number.
    """
    if type(operation).__module__ == _DEFINED_IN:
        return False
    if not has_finite_angles(operation.params):
        raise ProgramInvalid(f"'{operation.name}' has an angle that is not a finite number")
    return True


def has_finite_angles(parameters: Sequence[Any]) -> bool:
    return all(math.isfinite(value) for value in parameters if isinstance(value, float))


def takes_parameters(name: str, own: Mapping[str, Signature]) -> bool:
    """Whether a gate has parameters; the program's own gate hides that of the library."""
    signature = own.get(name) or LIBRARY_GATES.get(name) or BUILTIN_GATES.get(name)
    return signature is not None and signature.parameters > 0
