"""Builds a QIR module with pyqir: an entry point of basic blocks, with declarations, attributes and module flags.

The writers of the two profiles call it.

Source: https://github.com/qir-alliance/qir-spec, version 2.0: `Base_Profile.md` and `Adaptive_Profile.md`, sections
"Program Structure", "Attributes" and "Module Flags Metadata".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyqir
from pyqir import IntType, ModuleFlagBehavior, PointerType, Type

from ketline.domain.circuits.program_format import QirProfile
from ketline.domain.errors import SimulationFailed
from ketline.execution.conversion.text import SizeLimit

_LABELING_SCHEMA = "register[bit]"
# As text, because pyqir sets no attributes of parameters. Without `zeroext`, code compiled from `xor i1 %value, true`
# may leave other bits of the argument set.
_RUNTIME = """
declare void @__quantum__rt__initialize(ptr)
declare void @__quantum__qis__mz__body(ptr, ptr writeonly) #0
declare i1 @__quantum__rt__read_result(ptr readonly)
declare void @__quantum__qis__reset__body(ptr)
declare void @__quantum__rt__tuple_record_output(i64, ptr)
declare void @__quantum__rt__array_record_output(i64, ptr)
declare void @__quantum__rt__result_record_output(ptr, ptr)
declare void @__quantum__rt__bool_record_output(i1 zeroext, ptr)
attributes #0 = { "irreversible" }
"""
# The least size of an instruction, in bytes.
_MIN_OF_TEXT, _MIN_OF_BITCODE = 32, 8

BasicBlock = Any


@dataclass(frozen=True, slots=True, eq=False)
class Variable:
    """A local variable of type i1."""

    value: Any


Operand = bool | Variable


class ModuleBuilder:
    """Builds the entry point of one module, `main`, block by block.

    Raises:
        ProgramTooLarge: the module becomes larger than a result of `max_bytes`.
    """

    def __init__(self, profile: QirProfile, max_bytes: int, *, bitcode: bool) -> None:
        self.qubits = 0
        self.results = 0
        self.loops = False
        self._profile = profile
        self._size_limit = SizeLimit(max_bytes)
        self._bytes_each = _MIN_OF_BITCODE if bitcode else _MIN_OF_TEXT
        self._context = pyqir.Context()
        self._module = pyqir.Module.from_ir(self._context, _RUNTIME, "program")
        self._functions = {function.name: function for function in self._module.functions}
        self._runtime = dict(self._functions)
        self._called: set[str] = set()
        self._i1, self._i64 = IntType(self._context, 1), IntType(self._context, 64)
        self._double, self._void = Type.double(self._context), Type.void(self._context)
        self._pointer = PointerType(IntType(self._context, 8))
        self._constants = {value: pyqir.const(self._i1, value) for value in (False, True)}
        main = pyqir.FunctionType(self._i64, [])
        self._main = pyqir.Function(main, pyqir.Linkage.EXTERNAL, "main", self._module)
        self._builder = pyqir.Builder(self._context)
        self._end: BasicBlock = None
        self._pointers: dict[int, Any] = {}

    def block(self, name: str) -> BasicBlock:
        """Append a new block to the entry point."""
        return pyqir.BasicBlock(self._context, name, self._main)

    def gate(self, block: BasicBlock, name: str, angles: Sequence[float], qubits: Sequence[int]) -> None:
        """Call the quantum instruction of this name."""
        function = f"__quantum__qis__{name}"
        if function not in self._functions:
            kinds = [*[self._double] * len(angles), *[self._pointer] * len(qubits)]
            kind = pyqir.FunctionType(self._void, kinds)
            self._functions[function] = pyqir.Function(kind, pyqir.Linkage.EXTERNAL, function, self._module)
        self._at(block).call(self._functions[function], [*angles, *map(self._numbered, qubits)])

    def initialize(self, block: BasicBlock) -> None:
        self._call(block, "__quantum__rt__initialize", self._numbered(0))

    def measure(self, block: BasicBlock, qubit: int, result: int) -> None:
        self._call(block, "__quantum__qis__mz__body", self._numbered(qubit), self._numbered(result))

    def reset(self, block: BasicBlock, qubit: int) -> None:
        self._call(block, "__quantum__qis__reset__body", self._numbered(qubit))

    def read(self, block: BasicBlock, result: int) -> Variable:
        """Read a result into a new variable."""
        return Variable(self._call(block, "__quantum__rt__read_result", self._numbered(result)))

    def negated(self, block: BasicBlock, operand: Variable) -> Variable:
        return Variable(self._at(block).xor(operand.value, self._constants[True]))

    def binary(self, block: BasicBlock, operator: str, left: Variable, right: Variable) -> Variable:
        """`&`, `|` or `^` of two variables."""
        builder = self._at(block)
        operation = {"&": builder.and_, "|": builder.or_, "^": builder.xor}[operator]
        return Variable(operation(left.value, right.value))

    def phi(self, block: BasicBlock) -> Variable:
        """A phi node at the end of a block that has only such nodes; `add_incoming` completes it."""
        return Variable(self._at(block).phi(self._i1))

    def add_incoming(self, phi: Variable, operand: Operand, block: BasicBlock) -> None:
        """The value of a phi node where the program comes from this block."""
        phi.value.add_incoming(self._value(operand), block)

    def jump(self, block: BasicBlock, target: BasicBlock) -> None:
        self._at(block).br(target)

    def branch(self, block: BasicBlock, condition: Variable, then: BasicBlock, otherwise: BasicBlock) -> None:
        self._at(block).condbr(condition.value, then, otherwise)

    def finish(self, block: BasicBlock) -> None:
        """End the program with the exit code for success."""
        self._at(block).ret(pyqir.const(self._i64, 0))

    def record_tuple(self, block: BasicBlock, size: int, label: str) -> None:
        self._call(block, "__quantum__rt__tuple_record_output", pyqir.const(self._i64, size), self._label(label))

    def record_array(self, block: BasicBlock, size: int, label: str) -> None:
        self._call(block, "__quantum__rt__array_record_output", pyqir.const(self._i64, size), self._label(label))

    def record_result(self, block: BasicBlock, result: int, label: str) -> None:
        self._call(block, "__quantum__rt__result_record_output", self._numbered(result), self._label(label))

    def record_bool(self, block: BasicBlock, operand: Operand, label: str) -> None:
        self._call(block, "__quantum__rt__bool_record_output", self._value(operand), self._label(label))

    def module(self) -> pyqir.Module:
        """The finished module, verified by LLVM.

        Raises:
            SimulationFailed: LLVM does not accept it.
        """
        for name, function in self._runtime.items():
            if name not in self._called:
                function.delete()
        pyqir.add_string_attribute(self._main, "entry_point")
        for name, value in (
            ("qir_profiles", f"{self._profile}_profile"),
            ("output_labeling_schema", _LABELING_SCHEMA),
            ("required_num_qubits", str(self.qubits)),
            ("required_num_results", str(self.results)),
        ):
            pyqir.add_string_attribute(self._main, name, value)
        self._add_flags()
        if self._module.verify() is not None:
            raise SimulationFailed("LLVM does not accept the module that was written")
        return self._module

    def _add_flags(self) -> None:
        def add(behaviour: ModuleFlagBehavior, name: str, bits: int, value: int) -> None:
            self._module.add_flag(behaviour, name, pyqir.const(IntType(self._context, bits), value))

        add(ModuleFlagBehavior.ERROR, "qir_major_version", 32, 2)
        add(ModuleFlagBehavior.MAX, "qir_minor_version", 32, 0)
        add(ModuleFlagBehavior.ERROR, "dynamic_qubit_management", 1, 0)
        add(ModuleFlagBehavior.ERROR, "dynamic_result_management", 1, 0)
        if self._profile is QirProfile.ADAPTIVE:
            add(ModuleFlagBehavior.ERROR, "ir_functions", 1, 0)
            # 2: loops end by measurements.
            add(ModuleFlagBehavior.ERROR, "backwards_branching", 2, 2 if self.loops else 0)
            add(ModuleFlagBehavior.ERROR, "multiple_target_branching", 1, 0)
            add(ModuleFlagBehavior.ERROR, "multiple_return_points", 1, 0)

    def _call(self, block: BasicBlock, function: str, *arguments: Any) -> Any:
        self._called.add(function)
        return self._at(block).call(self._functions[function], arguments)

    def _at(self, block: BasicBlock) -> pyqir.Builder:
        """The builder, for one instruction at the end of this block."""
        self._size_limit.take(self._bytes_each)
        if block is not self._end:
            self._builder.insert_at_end(block)
            self._end = block
        return self._builder

    def _numbered(self, number: int) -> Any:
        """The pointer that stands for a qubit or a result."""
        if number not in self._pointers:
            self._pointers[number] = pyqir.qubit(self._context, number)
        return self._pointers[number]

    def _value(self, operand: Operand) -> Any:
        return self._constants[operand] if isinstance(operand, bool) else operand.value

    def _label(self, text: str) -> Any:
        self._size_limit.take(len(text))
        return pyqir.global_byte_string(self._module, text.encode())
