"""Which programs ask for the whole machine, and what they have without it."""

from dataclasses import replace

import pytest

from ketline.domain.circuits.method import Method
from ketline.domain.errors import MachineBusy, MemoryLimitExceeded
from ketline.domain.results.result import RunResult
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.execution.child.executor import Executor
from ketline.execution.limits import ExecutionLimits
from ketline.execution.protocol.requests import Command, Request
from ketline.execution.simulators.quota import LARGE_BYTES, Quota, is_large

MEBIBYTE = 1 << 20
LIMITS = ExecutionLimits(memory_bytes=64 * MEBIBYTE, small_memory_bytes=MEBIBYTE, threads=2)
HEADER = 'OPENQASM 3.0; include "stdgates.inc";'


def rotations(qubits: int, angle: str = "0.3", before: str = "") -> str:
    """Every qubit rotated and entangled with the next: no Clifford circuit."""
    gates = "".join(f"ry({angle}) q[{qubit}]; " for qubit in range(qubits))
    gates += "".join(f"cx q[{qubit}], q[{qubit + 1}]; " for qubit in range(qubits - 1))
    return f"{HEADER} {before} qubit[{qubits}] q; bit[{qubits}] c; {gates} c = measure q;"


BELL = f"{HEADER} qubit[2] q; bit[2] c; h q[0]; cx q[0], q[1]; c = measure q;"
SWEEP = rotations(17, "theta", before="input float theta;")
CHAIN = " ".join(f"cx q[{qubit}], q[{qubit + 1}];" for qubit in range(23))
LOOP = f"{HEADER} qubit[24] q; bit c; while (!c) {{ ry(1.5) q[0]; {CHAIN} c = measure q[23]; }}"
LAYER = "".join(f"ry(0.3) q[{qubit}]; cx q[{qubit}], q[{(qubit + 7) % 30}]; " for qubit in range(30))
ENTANGLED = f"{HEADER} qubit[30] q; bit[30] c; {20 * LAYER} c = measure q;"


class RecordingAdmit:
    """Records the bytes for which a child asks to be admitted, and admits it if `granted`."""

    def __init__(self, *, granted: bool = True) -> None:
        self.granted = granted
        self.needed: list[int] = []

    def __call__(self, needed: int) -> bool:
        self.needed.append(needed)
        return self.granted


@pytest.fixture(scope="module")
def executor() -> Executor:
    return Executor(LIMITS)


def request(circuit: str, **options: object) -> Request:
    return Request(TaskSpec(circuit=circuit, shots=10, options=RunOptions(**options)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "small",
    [
        request(BELL),
        request(rotations(16)),
        request(f"{HEADER} qubit[200] q; bit[200] c; h q; c = measure q;"),
        request(rotations(30), method=Method.MATRIX_PRODUCT_STATE),
    ],
    ids=["bell", "16 qubits", "stim", "narrow bonds"],
)
def test_small_program_does_not_ask(executor: Executor, small: Request) -> None:
    admit = RecordingAdmit(granted=False)
    assert isinstance(executor.respond(small, admit).outcome, RunResult)
    assert admit.needed == []


def test_program_beyond_a_slots_share_asks_for_what_it_needs(executor: Executor) -> None:
    admit = RecordingAdmit()
    assert isinstance(executor.respond(request(rotations(17)), admit).outcome, RunResult)
    assert admit.needed == [2 * MEBIBYTE]


def test_expectation_values_are_asked_for_like_counts(executor: Executor) -> None:
    admit = RecordingAdmit()
    observed = request(rotations(17).replace("c = measure q;", ""), observables=({"Z" * 17: 1.0},))
    assert isinstance(executor.respond(observed, admit).outcome, RunResult)
    assert admit.needed == [2 * MEBIBYTE]


def test_sweep_asks_once(executor: Executor) -> None:
    admit = RecordingAdmit()
    swept = Request(TaskSpec(circuit=SWEEP, shots=10, inputs={"theta": [0.1, 0.2, 0.3]}))
    assert isinstance(executor.respond(swept, admit).outcome, RunResult)
    assert admit.needed == [2 * MEBIBYTE]


def test_what_was_granted_to_one_program_is_not_the_nexts(executor: Executor) -> None:
    admit = RecordingAdmit()
    for _ in range(2):
        executor.respond(request(rotations(17)), admit)
    assert len(admit.needed) == 2


def test_program_that_is_not_admitted_is_not_simulated() -> None:
    """Its state is larger than any address space, so a simulation of it fails at once."""
    executor = Executor(replace(LIMITS, memory_bytes=1 << 60))
    huge = request(rotations(48), method=Method.STATEVECTOR)
    with pytest.raises(MachineBusy):
        executor.respond(huge, RecordingAdmit(granted=False))
    assert isinstance(executor.respond(huge, RecordingAdmit()).outcome, MemoryLimitExceeded)


def test_unbounded_bonds_ask_for_as_much_as_there_is(executor: Executor) -> None:
    admit = RecordingAdmit()
    assert isinstance(executor.respond(request(LOOP, method=Method.MATRIX_PRODUCT_STATE), admit).outcome, RunResult)
    assert admit.needed == [LIMITS.memory_bytes]


def test_inspection_asks_for_nothing(executor: Executor) -> None:
    admit = RecordingAdmit(granted=False)
    executor.respond(Request(TaskSpec(circuit=rotations(17), shots=10), command=Command.INSPECT), admit)
    assert admit.needed == []


@pytest.mark.parametrize(
    ("needed", "method", "large"),
    [
        (LARGE_BYTES - 1, Method.STATEVECTOR, False),
        (LARGE_BYTES, Method.STATEVECTOR, True),
        (LARGE_BYTES, Method.DENSITY_MATRIX, True),
        (LARGE_BYTES, Method.MATRIX_PRODUCT_STATE, False),
        (4 * LARGE_BYTES + 1, Method.MATRIX_PRODUCT_STATE, True),
    ],
)
def test_programs_that_threads_speed_up_are_large_sooner(needed: int, method: Method, large: bool) -> None:
    limits = ExecutionLimits(memory_bytes=64 * LARGE_BYTES, small_memory_bytes=4 * LARGE_BYTES)
    assert is_large(needed, method, limits) is large


def test_admitted_program_has_all_memory_and_threads() -> None:
    share = Quota(LIMITS)
    assert (share.memory_bytes, share.threads) == (MEBIBYTE, 1)
    share.whole = True
    assert (share.memory_bytes, share.threads) == (64 * MEBIBYTE, 2)


@pytest.fixture(scope="module")
def short_executor() -> Executor:
    """That of a process which asks before it runs what takes more than 20 ms."""
    return Executor(ExecutionLimits(memory_bytes=64 * MEBIBYTE, longest_seconds=0.02))


# No two of them are measured at once.
BASES = ["".join("XYZ"[number // 3**place % 3] for place in range(4)) for number in range(81)]
MANY_POINTS = {"theta": [0.1 * number for number in range(200)]}


@pytest.mark.parametrize(
    "long",
    [
        request(rotations(21), method=Method.STATEVECTOR),
        request(f"{HEADER} qubit q; bit c; while (!c) {{ h q; c = measure q; }}"),
        request(ENTANGLED, method=Method.MATRIX_PRODUCT_STATE),
        Request(TaskSpec(circuit=rotations(13, "theta", before="input float theta;"), shots=10, inputs=MANY_POINTS)),
        request(rotations(21).replace("c = measure q;", ""), method=Method.STATEVECTOR, observables=({"Z" * 21: 1.0},)),
        request(f"{HEADER} qubit[4] q; h q;", observables=tuple({label: 1.0} for label in BASES), sampled=True),
    ],
    ids=["21 qubits", "loop", "unknown bonds", "sweep", "observables", "bases"],
)
def test_process_for_short_programs_asks_before_long_ones(short_executor: Executor, long: Request) -> None:
    admit = RecordingAdmit(granted=False)
    with pytest.raises(MachineBusy):
        short_executor.respond(long, admit)
    assert len(admit.needed) == 1
    assert admit.needed[0] > 0


@pytest.mark.parametrize(
    "short",
    [
        request(BELL),
        request(rotations(12)),
        request(f"{HEADER} qubit[4] q; h q;", observables=({BASES[0]: 1.0},), sampled=True),
    ],
    ids=["bell", "12 qubits", "basis"],
)
def test_process_for_short_programs_runs_them_without_asking(short_executor: Executor, short: Request) -> None:
    admit = RecordingAdmit(granted=False)
    assert isinstance(short_executor.respond(short, admit).outcome, RunResult)
    assert admit.needed == []
