"""Records the output of a QIR program: an array for each register, bit 0 first. Used by both profiles."""

from collections.abc import Sequence

from ketline.domain.results.result import Register
from ketline.execution.conversion.qir.module import BasicBlock, ModuleBuilder, Operand
from ketline.execution.conversion.qir.state import InResult

# The label of the tuple of all registers; each label of a module is unique.
LABEL_OF_ALL = "registers"


def record(
    module: ModuleBuilder,
    block: BasicBlock,
    registers: Sequence[Register],
    names: Sequence[str],
    bits: Sequence[Operand | InResult],
) -> None:
    """Write the calls that record registers with these names, whose bits follow each other in `bits`.

    Several registers are a tuple, so that the output is one value.
    """
    values = iter(bits)
    if len(registers) > 1:
        module.record_tuple(block, len(registers), LABEL_OF_ALL)
    for register, name in zip(registers, names, strict=True):
        module.record_array(block, register.bits, name)
        for index in range(register.bits):
            value, label = next(values), f"{name}[{index}]"
            if isinstance(value, InResult):
                module.record_result(block, value.result, label)
            else:
                module.record_bool(block, value, label)
