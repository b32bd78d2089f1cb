"""The suite: fifty circuits of 2 to 20 qubits and 10 to 10,000 gates, the same in every run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.execution import dynamic, families


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    """A circuit of the suite as OpenQASM 3 text, named by its family."""

    family: str
    text: str


# Families, what makes their texts, and the arguments of each that is in the suite.
_SUITE: Sequence[tuple[str, Callable[..., str], Sequence[tuple[int, ...]]]] = (
    ("GHZ", families.ghz, ((10,), (20,))),
    ("W state", families.w_state, ((7,), (14,))),
    ("Fourier transform", families.fourier_transform, ((4, 0), (8, 1), (12, 2), (16, 3), (20, 4))),
    ("phase estimation", families.phase_estimation, ((5, 0), (10, 1), (15, 2))),
    (
        "random Clifford",
        families.clifford,
        ((2, 30, 0), (5, 10_000, 1), (10, 1_000, 2), (15, 300, 3), (20, 10_000, 4)),
    ),
    (
        "mixed gates",
        families.mixed,
        ((2, 1_000, 0), (4, 300, 1), (6, 10_000, 2), (11, 3_000, 3), (13, 1_000, 4), (17, 300, 5)),
    ),
    ("rotations and cx", families.rotations, ((2, 10, 0), (8, 100, 1), (12, 280, 2), (16, 10, 3), (20, 3, 4))),
    ("QAOA", families.approximate_optimization, ((6, 2, 0), (10, 8, 1), (14, 4, 2), (18, 2, 3))),
    ("Ising, Trotter steps", families.trotterized_ising, ((5, 20), (9, 100), (19, 3))),
    ("Grover", families.grover, ((3, 0), (6, 1), (8, 2))),
    ("adder", families.adder, ((2, 0), (5, 1), (9, 2))),
    ("hidden shift", families.hidden_shift, ((8, 1), (18, 2))),
    ("Bernstein-Vazirani", families.bernstein_vazirani, ((13, 1),)),
    ("quantum volume", families.volume, ((3, 3, 0), (7, 60, 1))),
    ("teleportation", dynamic.teleportation, ((2, 1),)),
    ("repetition code", dynamic.repetition_code, ((3, 3),)),
    ("iterative phase estimation", dynamic.iterative_phase_estimation, ((5, 1),)),
    ("measured on the way", dynamic.measured_on_the_way, ((4, 5, 1),)),
)


def suite() -> list[Circuit]:
    return [Circuit(family=family, text=make(*arguments)) for family, make, sizes in _SUITE for arguments in sizes]
