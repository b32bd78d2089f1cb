"""Random programs: where the scanner and the importer both read one, they read the same."""

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ketline.execution.frontend.scanner import scan
from ketline.execution.limits import ExecutionLimits
from tests.difference.compare import compare
from tests.difference.exported import make_exported
from tests.difference.programs import make_flat_program, make_program, mutate
from tests.reference import EXAMPLES
from tests.unit.execution.test_programs import CERTAIN

STANDARD = 'OPENQASM 3.0; include "stdgates.inc";\n'
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
choices = st.randoms(use_true_random=False)


@settings(unhurried, max_examples=50)
@given(choices)
def test_generated_programs(choices: Random) -> None:
    compare(make_program(choices))


@settings(unhurried, max_examples=50)
@given(choices)
def test_programs_a_few_edits_away(choices: Random) -> None:
    compare(mutate(make_flat_program(choices), choices))


@settings(unhurried, max_examples=20)
@given(choices)
def test_programs_as_qiskit_exports_them(choices: Random) -> None:
    assert compare(make_exported(choices)) == "both"


@settings(unhurried, max_examples=500)
@given(st.text(max_size=60))
def test_any_text_is_read_or_declined(text: str) -> None:
    scan(text, ExecutionLimits())
    scan(f"{STANDARD}qubit[2] q; {text};", ExecutionLimits())


@pytest.mark.parametrize("body", [body for body, _ in CERTAIN.values()], ids=CERTAIN.keys())
def test_programs_of_certain_outcome(body: str) -> None:
    compare(STANDARD + body)


PHYSICAL = (
    "bit c; x $0; c = measure $0;",
    "bit[2] c; h $3; cx $3, $1; barrier $3, $1; c[0] = measure $3; measure $1 -> c[1];",
    "bit[2] c; reset $2; delay[1ns] $1; cp(pi/2) $2, $0; c[1] = measure $2;",
    "gate g(t) a, b { rx(t) a; cx a, b; } bit c; g(0.5) $1, $5; c = measure $5;",
    "bit[2] c; cx $1,$1; c[0] = measure $1;",
    "bit[1] c; x$0; c = measure $0;",
    "bit[1] c; x $4095; c = measure $4095;",
)


@pytest.mark.parametrize("body", PHYSICAL)
def test_physical_qubits(body: str) -> None:
    assert compare(STANDARD + body) == ("neither" if "$1,$1" in body else "both")


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.qasm")))
def test_examples(name: str) -> None:
    compare((EXAMPLES / name).read_text())
