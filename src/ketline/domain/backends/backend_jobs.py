"""Jobs on external backends: what a backend can do, what it is given, and what it returns.

`ketline.backends` exports most of it as the public interface for adapters.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NewType

from ketline.domain.circuits.program_format import ProgramFormat
from ketline.domain.errors import BackendResultInvalid
from ketline.domain.results.result import Register
from ketline.domain.tasks.inputs import Inputs
from ketline.domain.tasks.remote_job import RemoteStatus as RemoteStatus

# The name of an external backend in this service; part of the name of its queue.
BackendName = NewType("BackendName", str)
# The backend's own id of a job.
RemoteId = NewType("RemoteId", str)
# The id of one submission, which Ketline makes; it is the same whenever that submission is repeated.
ClientToken = NewType("ClientToken", str)
ENDED_REMOTELY = tuple(status for status in RemoteStatus if status.ended)

# The pattern of a `BackendName`.
BACKEND_NAME_PATTERN = "^[a-z0-9][a-z0-9_-]{0,62}$"
_NAME = re.compile(BACKEND_NAME_PATTERN)
_BITSTRING = re.compile("[01]+(?: [01]+)*")


def is_backend_name(text: str) -> bool:
    """Whether a text can name a backend: up to 63 of `a-z`, `0-9`, `-` and `_`, a letter or a digit first."""
    return _NAME.fullmatch(text) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendDescription:
    """The programs that a backend runs, and its state.

    `formats` are those of programs that it takes, the preferred one first. If `flat`, programs must be flat: loops
    unrolled, gates of the program inlined, inputs replaced by their values. If `dynamic`, it measures and resets in
    the middle of a circuit, and branches on results. `gates` are the names of its native gates; other gates are
    translated. `coupling` has the pairs of qubits that a two-qubit gate may act on, in that direction; None means all.

    If `local`, jobs run on the worker's machine, cost nothing and end with the worker: a lost one is submitted again.
    If `recognises_tokens`, a submission that is repeated with its token gives the same job, not another one.

    `offline_reason` is the reason why it takes no jobs now; None while it is online. `pending_jobs` is the length of
    the backend's own queue, if it is known.
    """

    name: str
    description: str = ""
    num_qubits: int | None = None
    gates: Sequence[str] = ()
    coupling: Sequence[tuple[int, int]] | None = None
    formats: Sequence[ProgramFormat] = (ProgramFormat.OPENQASM3,)
    flat: bool = True
    dynamic: bool = False
    max_shots: int | None = None
    takes_seed: bool = False
    simulator: bool = False
    noisy: bool = False
    local: bool = False
    recognises_tokens: bool = False
    offline_reason: str | None = None
    pending_jobs: int | None = None

    @property
    def online(self) -> bool:
        return self.offline_reason is None


def description_from_json(data: Mapping[str, Any]) -> BackendDescription:
    """The description from which `dataclasses.asdict` made `data`, also after a round trip through JSON."""
    coupling = data["coupling"]
    pairs = None if coupling is None else tuple((int(control), int(target)) for control, target in coupling)
    formats = tuple(map(ProgramFormat, data["formats"]))
    return BackendDescription(**{**data, "coupling": pairs, "formats": formats, "gates": tuple(data["gates"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendJob:
    """A program for a backend: OpenQASM text, or QPY as base64, as `format` says.

    `registers` are those of the result's bitstrings, in the order of declaration; if they are None, they are those of
    the program: a group of bits for each register, and for each run of bits in none. A flat program needs no `inputs`.
    `options` are for the backend only.
    """

    program: str
    format: ProgramFormat
    shots: int
    registers: Sequence[Register] | None = None
    seed: int | None = None
    inputs: Inputs = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteState:
    """The state of a job at its backend; `message` is the reason of a failed one, or the backend's note.

    `pause_seconds` is how long to wait before the next poll.
    """

    status: RemoteStatus
    message: str | None = None
    pause_seconds: float = 1.0


def check_counts(counts: Mapping[str, int], job: BackendJob) -> None:
    """Check that counts are a result of this job: bitstrings as in `RunResult`, and a sum that equals the shots.

    Raises:
        BackendResultInvalid: they are not; the message says in what.
    """
    widths = None if job.registers is None else [register.bits for register in reversed(job.registers)]
    for key, count in counts.items():
        if not _BITSTRING.fullmatch(key):
            raise BackendResultInvalid("The backend's result has a key that is not a bitstring.")
        if widths is None:
            widths = _widths(key)
        if _widths(key) != widths:
            raise BackendResultInvalid(
                f"The backend's result has the bitstring {key[:80]!r}, but the registers have {widths} bits."
            )
        if type(count) is not int or count < 0:
            raise BackendResultInvalid("The backend's result has a count that is not a natural number.")
    if (total := sum(counts.values())) != job.shots:
        raise BackendResultInvalid(f"The backend's counts add up to {total}, not to {job.shots} shots.")


def _widths(key: str) -> list[int]:
    return [len(group) for group in key.split(" ")]
