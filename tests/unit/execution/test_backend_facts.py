"""What the API says of the backend without knowing Qiskit is what the backend is."""

import json
from pathlib import Path

from ketline.domain.circuits.gates import GATES
from ketline.domain.circuits.method import Method
from ketline.domain.devices.backend import METHODS, OPENQASM_VERSIONS
from ketline.execution.frontend.program import load_program
from ketline.execution.frontend.unroller.gates import BUILTIN_GATES, FURTHER_GATES, STANDARD_GATES
from ketline.execution.limits import ExecutionLimits

ROOT = Path(__file__).parents[3]


def test_gates_are_those_of_the_front_end() -> None:
    assert list(GATES) == sorted({*BUILTIN_GATES, *STANDARD_GATES, *FURTHER_GATES, "gphase"})


def test_every_method_that_is_offered_is_described() -> None:
    """The one that is not is that of stored tasks of before."""
    assert set(METHODS) == set(Method) - {Method.EXTENDED_STABILIZER}


def test_documents_list_every_method_that_is_offered() -> None:
    rest, api = ((ROOT / page).read_text(encoding="utf-8") for page in ("specs/rest.md", "docs/api.md"))
    offered = " ".join(rest.partition("`method`: ")[2].partition(";")[0].split())
    *others, last = (f"`{method}`" for method in METHODS)
    assert offered == f"{', '.join(others)} or {last}"
    assert not [name for name, text in METHODS.items() if json.dumps(text) not in api], "make docs/api.md again"


def test_versions_are_read() -> None:
    for version in OPENQASM_VERSIONS:
        assert (
            load_program(f"OPENQASM {version}; qubit q; bit c; c = measure q;", ExecutionLimits()).declared_qubits == 1
        )
