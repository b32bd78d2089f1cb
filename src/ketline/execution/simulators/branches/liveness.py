"""Which classical bits the rest of a flow may still read; `ensembles/run.py` forgets the others.

Source: A. Aho, M. Lam, R. Sethi and J. Ullman, Compilers, section 9.2.5 (live-variable analysis).
"""

from collections.abc import Sequence

from ketline.execution.simulators.branches.flow import Instruction, Jump, Measure, Store


def live_bits(flow: Sequence[Instruction], read_at_end: int) -> Sequence[int]:
    """For each instruction, and for the end, the bits that are read there or later: bit n for the circuit's n-th.

    `read_at_end` are those that are read after the flow.
    """
    live = [0] * len(flow) + [read_at_end]
    loops = any(isinstance(one, Jump) and one.target <= number for number, one in enumerate(flow))
    while _changed(flow, live) and loops:
        pass
    return live


def _changed(flow: Sequence[Instruction], live: list[int]) -> bool:
    """Go through the flow backwards once; whether that changed anything."""
    changed = False
    for number in range(len(flow) - 1, -1, -1):
        then = live[number + 1]
        found = _before(flow[number], then, live)
        if found != live[number]:
            # One object for equal sets in a row: there can be many instructions, and thousands of bits.
            live[number] = then if found == then else found
            changed = True
    return changed


def _before(instruction: Instruction, then: int, live: Sequence[int]) -> int:
    match instruction:
        case Measure(_, bit):
            return then & ~(1 << bit)
        case Store(bit, _, reads):
            return then & ~(1 << bit) | (reads if then >> bit & 1 else 0)
        case Jump(None, target):
            return live[target]
        case Jump(_, target, reads):
            return then | live[target] | reads
    return then
