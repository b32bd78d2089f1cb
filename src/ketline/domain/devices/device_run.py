"""How a task runs on a device: the options that it requests, and the placement of its program."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

DEFAULT_LEVEL = 1
LEVELS = range(4)
MAX_TRANSPILER_SEED = 2**32 - 1
# The seed of the transpiler where a task gives none: fixed, so that its circuit can be made again.
DEFAULT_TRANSPILER_SEED = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRun:
    """The device of a task, and how its program is transpiled for it.

    `digest` identifies what the device was when the task was submitted, and `text` is that as canonical JSON; both are
    empty before the submission, and the text wherever the program is not read. `initial_layout` has the physical qubit
    for each qubit of the program in the order of declaration; None leaves the choice to the transpiler. With `noise`
    the circuit is run with the device's errors.
    """

    name: str
    optimization_level: int = DEFAULT_LEVEL
    seed: int | None = None
    initial_layout: tuple[int, ...] | None = None
    noise: bool = True
    digest: str = ""
    text: str = field(default="", compare=False, repr=False)

    @property
    def transpiler_seed(self) -> int:
        """The seed of the transpiler."""
        return DEFAULT_TRANSPILER_SEED if self.seed is None else self.seed

    def as_requested(self) -> dict[str, object]:
        """As a request has it, without what is the default."""
        layout = None if self.initial_layout is None else list(self.initial_layout)
        level = None if self.optimization_level == DEFAULT_LEVEL else self.optimization_level
        fields = {
            "name": self.name,
            "optimization_level": level,
            "seed": self.seed,
            "initial_layout": layout,
            "noise": None if self.noise else False,
        }
        return {name: value for name, value in fields.items() if value is not None}

    def as_stored(self) -> dict[str, object]:
        """As a task keeps it: as requested, with the digest."""
        return {**self.as_requested(), **({"digest": self.digest} if self.digest else {})}


def device_run(stored: Mapping[str, object], text: str = "") -> DeviceRun:
    """The inverse of `as_stored`, with the content that belongs to the digest where it is needed."""
    known = dict(stored)
    layout = known.pop("initial_layout", None)
    return DeviceRun(
        **known,  # type: ignore[arg-type]
        initial_layout=tuple(layout) if isinstance(layout, Sequence) else None,
        text=text,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where a program was placed on a device, and what its circuit became there.

    `layout` and `final_layout` have the physical qubit of each of the program's qubits at the start and at the end, in
    the order of declaration: routing moves qubits. `depth` and `two_qubit_gates` are those of the transpiled circuit,
    in which control-flow blocks count as one operation in the first, and once for each block in the second.
    """

    device: str
    digest: str
    optimization_level: int
    layout: Sequence[int]
    final_layout: Sequence[int]
    depth: int
    two_qubit_gates: int
