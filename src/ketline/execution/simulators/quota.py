"""The memory and threads that the current program may use: a slot's quota, or the whole machine once admitted.

For the child process only.
"""

from collections.abc import Callable

from ketline.domain.circuits.method import Method
from ketline.domain.errors import MachineBusy
from ketline.execution.circuit.passes.lowered import Lowered
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.durations import simulating_seconds
from ketline.execution.simulators.methods import SIMULATION_METHODS, Choice

# The size of a statevector of 22 qubits: from here on several threads are worthwhile, and a program takes seconds; see
# specs/admission.md.
LARGE_BYTES = 64 << 20

# Whether a program whose state takes this many bytes may use the whole machine; False while another one does.
Admit = Callable[[int], bool]


def always_admit(_needed: int) -> bool:
    """Admit every program, where no other process shares the machine."""
    return True


class Quota:
    """The memory and threads of one program after another; a sweep is one program."""

    def __init__(self, limits: ExecutionLimits) -> None:
        self._limits = limits
        self._admit: Admit = always_admit
        self._runs = 1
        self.whole = False

    @property
    def memory_bytes(self) -> int:
        return self._limits.memory_bytes if self.whole else self._limits.share_bytes

    @property
    def threads(self) -> int:
        return self._limits.threads if self.whole else self._limits.share_threads

    def begin(self, admit: Admit, runs: int = 1) -> None:
        """Start a program, which runs its circuit `runs` times, with the quota of a slot."""
        self._admit = admit
        self._runs = runs
        self.whole = False

    def repeat(self, runs: int) -> None:
        """Raise the number of runs of the circuit to `runs`, when it is known only after reading the program."""
        self._runs = max(self._runs, runs)

    def require(self, lowered: Lowered, choice: Choice, shots: int) -> None:
        """Require admission to the whole machine if a circuit exceeds the quota of a slot.

        A process for short programs also requires admission for a long program.

        Raises:
            MachineBusy: another program has the machine, or this one is too long for this process.
        """
        if self.whole:
            return
        needed = choice.method.bytes_needed(lowered)
        if not (is_large(needed, choice.method.name, self._limits) or self._is_long(lowered, choice, shots)):
            return
        if not self._admit(max(1, min(needed, self._limits.memory_bytes))):
            raise MachineBusy("the program may not begin now")  # guard: admission.required
        self.whole = True

    def _is_long(self, lowered: Lowered, choice: Choice, shots: int) -> bool:
        """Whether the program takes too long for this process, by prediction; True if its time cannot be predicted."""
        longest = self._limits.longest_seconds
        if longest is None:
            return False
        seconds = simulating_seconds(lowered, choice, shots, self._limits)
        return seconds is None or seconds * self._runs > longest


def is_large(needed: int, method: Method, limits: ExecutionLimits) -> bool:
    """Whether a program whose state needs this much memory has to be admitted first."""
    return needed > limits.share_bytes or (SIMULATION_METHODS[method].uses_threads and needed >= LARGE_BYTES)
