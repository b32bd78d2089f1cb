"""Chooses the names of a program: the circuit's own where OpenQASM allows them, otherwise similar ones.

`writer.py` names registers, inputs and gates with it.
"""

from collections.abc import Iterator
from itertools import count

_WORDS = """
    angle array barrier bit bool box break cal case complex const continue creg ctrl def default defcal defcalgrammar
    delay duration durationof else end extern false float for gate gphase if im in include input inv int let measure
    mutable negctrl nop output pow pragma qreg qubit readonly reset return sizeof stretch switch true uint void while
    OPENQASM
    pi tau euler π τ arccos arcsin arctan ceiling cos exp floor log mod popcount real imag rotl rotr sin sqrt tan
    U CX p x y z h s sdg t tdg sx rx ry rz cx cy cz cp crx cry crz ch swap ccx cswap cu phase cphase id u1 u2 u3
"""
RESERVED = frozenset(_WORDS.split())


class ProgramNames:
    """Gives each name of a circuit a name of the program, no two the same."""

    def __init__(self, taken: frozenset[str] = frozenset()) -> None:
        self._taken = set(RESERVED | taken)

    def fresh(self, wanted: str) -> str:
        """A new name: `wanted` if it is a free name of OpenQASM, otherwise one made of its letters and digits."""
        name = next(name for name in _candidates(wanted) if name not in self._taken)
        self._taken.add(name)
        return name


def _candidates(wanted: str) -> Iterator[str]:
    plain = "".join(letter if _is_plain(letter) else "_" for letter in wanted) or "_"
    name = f"_{plain}" if plain[0].isdigit() else plain
    yield name
    yield from (f"{name}_{number}" for number in count(1))


def _is_plain(letter: str) -> bool:
    """Whether each of the service's front ends reads this letter or digit in a name: Latin and Greek ones."""
    return letter.isalnum() and (letter.isascii() or "\u0370" <= letter <= "\u03ff")
