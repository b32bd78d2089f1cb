"""The program that a circuit of another library is converted to; `ketline.client` exports it."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvertedProgram:
    """Program text, and its names for those of the circuit.

    `format` is "openqasm3", or "qpy" for a circuit of Qiskit that text cannot describe exactly. `registers` has the
    circuit's name of each classical register by the program's, in the order of declaration: they differ where the
    circuit's is not a name in OpenQASM. Bit i of a register is its i-th bit in the library; bitstrings of the service
    show bit 0 rightmost and the last register first. `inputs` has the program's name of each free parameter by the
    circuit's; the client translates the names in a task's `inputs`.
    """

    text: str
    format: str = "openqasm3"
    registers: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
