"""Hostile programs, one after another through one child: all are answered, the child survives and stays small."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from ketline.domain.circuits.program_format import ProgramFormat
from ketline.domain.errors import ExecutionFailed, ProgramInvalid, ProgramTooLarge, ProgramUnsupported
from ketline.domain.failures import FailureCode
from ketline.domain.tasks.inspection import Drawing, ProgramSource
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.execution.parent.runner import ChildRunner
from tests.integration.execution.conftest import BELL, child_pid

pytestmark = pytest.mark.asyncio(loop_scope="module")

STANDARD = 'include "stdgates.inc";'
DOUBLING = "gate g0(t) a { rx(t) a; }" + "".join(
    f"gate g{i}(t) a {{ g{i - 1}(t + t) a; g{i - 1}(t) a; }}" for i in range(1, 61)
)
DENSE_40 = (
    "qubit[40] q; bit[40] c; h q; t q; "
    "for int r in [0:20] { for int i in [0:38] { cx q[i], q[i + 1]; t q[i]; } } c = measure q;"
)
DOUBLING_SUBROUTINES = "def f0() { }" + "".join(f"def f{i}() {{ f{i - 1}(); f{i - 1}(); }}" for i in range(1, 40))
POWER = "pow(0.5) @ g q[0], q[1], q[2], q[3], q[4], q[5], q[6], q[7]; "
MAX_RESIDENT_BYTES = 600 << 20
# Far more than the slowest takes on a busy machine: what ends a program here is the limit of operations.
LIMIT_SECONDS = 120

HOSTILE = {
    "a thousand million qubits": ("qubit[1000000000] q;", FailureCode.TOO_LARGE),
    "a physical qubit far out": (STANDARD + "x $999999999;", FailureCode.TOO_LARGE),
    "sixty doubling gates": (STANDARD + DOUBLING + "qubit q; bit c; g60(1) q; c = measure q;", FailureCode.TOO_LARGE),
    "forty dense qubits": (STANDARD + DENSE_40, FailureCode.TOO_LARGE),
    "a megabyte of gates": (STANDARD + "qubit q; " + "x q;" * 260_000, FailureCode.TOO_LARGE),
    "a gate of itself": ("gate g a { g a; } qubit q; g q;", FailureCode.PARSE_ERROR),
    "a thousand million turns that do nothing": ("int n; for int i in [0:1000000000] { }", FailureCode.TOO_LARGE),
    "sums of a parameter": (
        STANDARD + f"gate g(t) a {{ rx({'t+' * 300}t) a; }} qubit[4096] q; " + "g(1) q; " * 62,
        FailureCode.TOO_LARGE,
    ),
    "forty controls one by one": (
        f"qubit[42] q; {'ctrl @ ' * 40}U(1, 2, 3) {', '.join(f'q[{i}]' for i in range(41))};",
        FailureCode.UNSUPPORTED,
    ),
    "matrices of powers": (
        "qubit[8] q; gate g a, b, c, d, e, f, k, h { U(1, 2, 3) a; } " + POWER * 9,
        FailureCode.TOO_LARGE,
    ),
    "registers joined to themselves": (
        "int n; qubit[2] a0; " + "".join(f"let a{i} = a{i - 1} ++ a{i - 1};" for i in range(1, 60)),
        FailureCode.PARSE_ERROR,
    ),
    "a number of ten measured bits": (
        "qubit[10] q; bit[10] c; c = measure q; uint[10] n = uint[10](c); for int i in [0:100000] { n += 1; }",
        FailureCode.TOO_LARGE,
    ),
    "a register of eight hundred thousand bits": (
        'bit[4096] b; b = "' + "01" * 400_000 + '";',
        FailureCode.PARSE_ERROR,
    ),
    "an endless range": ("qubit q; for int i in [0:1000000000000] { }", FailureCode.TOO_LARGE),
    "parentheses": ("qubit q; U(" + "(" * 100_000 + "1" + ")" * 100_000 + ", 0, 0) q;", FailureCode.UNSUPPORTED),
    "braces": ("{" * 100_000, FailureCode.UNSUPPORTED),
    "ifs without braces": ("qubit q; bit c; " + "if (c) " * 2000 + "reset q;", FailureCode.UNSUPPORTED),
    "else ifs": ("qubit q; bit c; " + "if (c) reset q; else " * 500 + "reset q;", FailureCode.UNSUPPORTED),
    "signs": ("qubit q; U(" + "-" * 5000 + "1, 0, 0) q;", FailureCode.UNSUPPORTED),
    "sums": ("qubit q; U(" + "+".join(["1"] * 5000) + ", 0, 0) q;", FailureCode.UNSUPPORTED),
    "a NUL byte": ("qubit q;\x00", FailureCode.PARSE_ERROR),
    "a lone surrogate": ("qubit q; // \ud800", FailureCode.PARSE_ERROR),
    "control characters": ("\x01\x02\x1b[31m", FailureCode.PARSE_ERROR),
    "an integer of a million digits": ("qubit[" + "9" * 1_000_000 + "] q;", FailureCode.PARSE_ERROR),
    "comments never closed": ("/*" * 500_000, FailureCode.PARSE_ERROR),
    "a file of the server": ('include "/etc/passwd";', FailureCode.UNSUPPORTED),
    "OpenQASM 2": ('OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];', FailureCode.UNSUPPORTED),
    "an infinite angle": ("qubit q; U(1e999, 0, 0) q;", FailureCode.PARSE_ERROR),
    "a number wider than its register": ("qubit q; bit[2] c; if (c == 4) { reset q; }", FailureCode.UNSUPPORTED),
    "a megabyte on one line that is no statement": ("qubit q; x " + "a" * 1_000_000, FailureCode.PARSE_ERROR),
    "a name of a megabyte": ("qubit q; U(" + "a" * 1_000_000 + ", 0, 0) q;", FailureCode.PARSE_ERROR),
    "an endless loop": ("qubit q; while (true) { reset q; }", FailureCode.TOO_LARGE),
    "a counter of a thousand million": ("int n; while (n < 1000000000) { n += 1; }", FailureCode.TOO_LARGE),
    "recursion": ("def f(int n) -> int { return f(n) + f(n); } int n = f(1);", FailureCode.UNSUPPORTED),
    "doubling subroutines": (DOUBLING_SUBROUTINES + "int n; f39();", FailureCode.TOO_LARGE),
    "a huge array": ("array[int[8], 1000000, 1000000] a;", FailureCode.TOO_LARGE),
    "a huge power": ("int n = 9 ** 9 ** 9 ** 9;", FailureCode.UNSUPPORTED),
    "a huge shift": ("uint[8] n = 1; n <<= 1000000000000;", FailureCode.UNSUPPORTED),
    "a wide number": ("uint[1000000000] n;", FailureCode.UNSUPPORTED),
    "division by zero": ("int n; int m = 1 / n;", FailureCode.PARSE_ERROR),
    "not a number": ("float f = 1e308; f = f * f - f * f;", FailureCode.PARSE_ERROR),
    "a file in a program with variables": ('int n; include "/etc/passwd";', FailureCode.UNSUPPORTED),
    "nothing measured": ("qubit q;", FailureCode.UNSUPPORTED),
}


_START = "OPENQASM 2.0; qreg q[2]; creg c[2]; "
OPENQASM2 = {
    "signs": (f"{_START}U({'-' * 5000}t,0,0) q[0];", FailureCode.PARSE_ERROR),
    "a deep tree that is freed": (
        f"{_START}gate g(t) a {{ U({'-' * 100_000}t,0,0) a; }} g(1) q[0]; measure q -> c;",
        FailureCode.UNSUPPORTED,
    ),
    "parentheses": (f"{_START}U({'(' * 100_000}1{')' * 100_000},0,0) q[0];", FailureCode.UNSUPPORTED),
    "an integer of a million digits": (f"OPENQASM 2.0; qreg q[{'9' * 1_000_000}];", FailureCode.TOO_LARGE),
    "an index of a million digits": (f"{_START}U(0,0,0) q[{'9' * 1_000_000}];", FailureCode.PARSE_ERROR),
    "doubling definitions": (
        "OPENQASM 2.0; gate g0 a { } "
        + " ".join(f"gate g{n} a {{ g{n - 1} a; g{n - 1} a; }}" for n in range(1, 61))
        + " qreg q[1]; creg c[1]; g60 q[0]; measure q -> c;",
        FailureCode.TOO_LARGE,
    ),
    "broadcasts": ("OPENQASM 2.0; qreg q[4096]; " + "reset q; " * 10_000, FailureCode.TOO_LARGE),
    "barriers": ("OPENQASM 2.0; qreg q[4096]; " + "barrier q; " * 10_000, FailureCode.TOO_LARGE),
    "conditions": (
        "OPENQASM 2.0; qreg q[1000]; creg c[1000]; " + "if (c == 0) measure q -> c; " * 100,
        FailureCode.TOO_LARGE,
    ),
    "a wait of very many cycles": (_START + "u0(1e300) q[0];", FailureCode.UNSUPPORTED),
    "a file of the server": ('OPENQASM 2.0; include "/etc/passwd";', FailureCode.UNSUPPORTED),
    "a name of a megabyte": (f"{_START}{'a' * 1_000_000} q[0];", FailureCode.PARSE_ERROR),
    "quotes": ('OPENQASM 2.0; "' + '"' * 100_000, FailureCode.PARSE_ERROR),
    "letters of other alphabets": ("OPENQASM 2.0; " + "é" * 1000, FailureCode.PARSE_ERROR),
    "a lone surrogate": ("OPENQASM 2.0; // \ud800", FailureCode.PARSE_ERROR),
}


# Each takes a core several seconds to run into the limit of operations; without `--long` only the answers are tested.
SLOW = ("an endless loop", "a counter of a thousand million")


def marks(name: str) -> list[pytest.MarkDecorator]:
    return [pytest.mark.long] if name in SLOW else []


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def _one_child(runner: ChildRunner) -> AsyncIterator[None]:
    """One child serves this whole module and stays small."""
    pid = child_pid(runner)
    yield
    assert (await runner.run(TaskSpec(circuit=BELL, shots=10))).shots == 10
    assert runner.pid == pid
    assert _peak_resident_bytes(pid) < MAX_RESIDENT_BYTES


@pytest.mark.parametrize(("text", "code"), HOSTILE.values(), ids=HOSTILE.keys())
async def test_hostile_program_is_answered(runner: ChildRunner, text: str, code: FailureCode) -> None:
    with pytest.raises(ExecutionFailed) as caught:
        await runner.run(TaskSpec(circuit=text, shots=10))
    assert caught.value.failure.code == code, caught.value.message
    assert len(caught.value.message) <= 500


@pytest.mark.parametrize(("text", "code"), OPENQASM2.values(), ids=OPENQASM2.keys())
async def test_hostile_program_in_version_2_is_answered(runner: ChildRunner, text: str, code: FailureCode) -> None:
    with pytest.raises(ExecutionFailed) as caught:
        await runner.run(TaskSpec(circuit=text, shots=10, options=RunOptions(format=ProgramFormat.OPENQASM2)))
    assert caught.value.failure.code == code, caught.value.message
    assert len(caught.value.message) <= 500


@pytest.mark.parametrize(
    ("text", "code"), [pytest.param(*values, id=name, marks=marks(name)) for name, values in HOSTILE.items()]
)
async def test_hostile_program_is_inspected_as_it_would_be_run(
    runner: ChildRunner, text: str, code: FailureCode
) -> None:
    try:
        failure = (await runner.inspect(TaskSpec(circuit=text, shots=10), LIMIT_SECONDS)).failure
    except ExecutionFailed as error:
        failure = error.failure
    assert failure is not None
    assert failure.code == code, failure.message


@pytest.mark.parametrize(
    "text", [pytest.param(text, id=name, marks=marks(name)) for name, (text, _) in HOSTILE.items()]
)
async def test_hostile_program_is_drawn_or_rejected(runner: ChildRunner, text: str) -> None:
    try:
        drawn = await runner.draw(ProgramSource(circuit=text), Drawing.FLAT, LIMIT_SECONDS)
    except (ProgramInvalid, ProgramUnsupported, ProgramTooLarge):
        return
    assert drawn.startswith("OPENQASM 3.0;")
    assert len(drawn) < 1 << 20


async def test_segfault_bait_runs_as_written(runner: ChildRunner) -> None:
    text = 'include "stdgates.inc"; gate kraus a { x a; } qubit q; bit c; kraus q; c = measure q;'
    assert (await runner.run(TaskSpec(circuit=text, shots=10))).counts == {"1": 10}


async def test_parser_noise_does_not_wear_the_child_out(runner: ChildRunner) -> None:
    noisy = "qubit[3] q;\n x q[" + "a" * 3000 + ";"
    for _ in range(40):
        with pytest.raises(ExecutionFailed) as caught:
            await runner.run(TaskSpec(circuit=noisy, shots=1))
        assert caught.value.line == 2


def _peak_resident_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024
