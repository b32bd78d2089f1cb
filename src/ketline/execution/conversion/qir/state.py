"""The values of a program's bits at one point of the control flow; `adaptive.py` follows them along each path."""

from collections.abc import Sequence
from dataclasses import dataclass

from ketline.execution.conversion.qir.module import BasicBlock, ModuleBuilder, Operand, Variable


@dataclass(frozen=True, slots=True)
class InResult:
    """A bit whose value is in the result with this number; `variable` is the one it was read into, if any."""

    result: int
    variable: Variable | None = None


# The value of a bit: a constant, a local variable, or a result.
Value = Operand | InResult


@dataclass(slots=True)
class Path:
    """A way that the program can take, up to the end of a block: the block and the values of the bits there."""

    block: BasicBlock
    bits: list[Value]

    def read(self, module: ModuleBuilder, bit: int) -> Operand:
        """The value of a bit as a constant or a local variable; a result is read at the end of the block."""
        held = self.bits[bit]
        if not isinstance(held, InResult):
            return held
        if held.variable is None:
            held = InResult(held.result, module.read(self.block, held.result))
            self.bits[bit] = held
        assert held.variable is not None
        return held.variable


def merged(module: ModuleBuilder, paths: Sequence[Path], block: BasicBlock) -> Path:
    """Merge paths in a new block: bits whose values differ become phi nodes.

    The blocks of the paths must not have been terminated yet; each then jumps to the new one.
    """
    bits: list[Value] = []
    for bit, value in enumerate(paths[0].bits):
        values = [path.bits[bit] for path in paths]
        if all(other == value for other in values):
            bits.append(value)
        elif isinstance(value, InResult) and all(
            isinstance(one, InResult) and one.result == value.result for one in values
        ):
            bits.append(InResult(value.result))
        else:
            operands = [path.read(module, bit) for path in paths]
            phi = module.phi(block)
            for operand, path in zip(operands, paths, strict=True):
                module.add_incoming(phi, operand, path.block)
            bits.append(phi)
    for path in paths:
        module.jump(path.block, block)
    return Path(block, bits)
