"""What the service uses of libraries beyond their documentation, so that a new version that lacks it is told by name.

Each of these libraries has an upper bound in pyproject.toml. Before a bound is raised, this file must pass with the new
version; the tests of the module that uses an attribute say whether it still means the same.
"""

import ast
import inspect
import re
import textwrap
import tomllib
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pytest
from aiormq.abc import ChannelFrame
from aiormq.channel import Channel
from antlr4 import InputStream
from openqasm3._antlr import qasm3Lexer, qasm3Parser
from packaging.requirements import Requirement
from pennylane_lightning import lightning_qubit_ops
from qiskit.circuit import Parameter, QuantumCircuit
from qiskit.circuit.library import HGate
from qiskit_aer.backends.controller_wrappers import AerStateWrapper
from qiskit_aer.library import SaveStatevector
from qiskit_qasm3_import import converter
from qiskit_qasm3_import.expression import ValueResolver
from qiskit_qasm3_import.state import SymbolTables
from sqlalchemy import bindparam, select
from sqlalchemy.dialects import sqlite
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """Attributes of a class, a module or an object of a library, and the modules of ours that use them."""

    library: str
    owner: object
    names: tuple[str, ...]
    users: str


USES = [
    Use(
        library="qiskit",
        owner=QuantumCircuit(1),
        names=("_data",),
        users="execution/frontend/scanner/{registers,statements}.py",
    ),
    Use(
        library="qiskit",
        owner=QuantumCircuit(1)._data,
        names=("add_qreg", "add_creg", "extend"),
        users="execution/frontend/scanner/{registers,statements}.py",
    ),
    Use(library="qiskit", owner=HGate(), names=("_standard_gate",), users="execution/circuit/library.py"),
    Use(
        library="qiskit",
        owner=Parameter("a") + 1,
        names=("_qpy_replay",),
        users="execution/circuit/derivatives/expressions.py",
    ),
    Use(
        library="qiskit-aer",
        owner=AerStateWrapper(),
        names=(
            *(
                "configure",
                "reallocate_qubits",
                "initialize",
                "flush",
                "apply_u",
                "apply_cu",
                "apply_h",
                "apply_unitary",
            ),
            *("apply_mcphase", "apply_diagonal", "apply_mcx", "apply_mcy", "apply_mcz", "apply_mcswap"),
        ),
        users="execution/simulators/states/{aer_state,aer_calls}.py",
    ),
    Use(library="qiskit-aer", owner=SaveStatevector(1), names=("_subtype",), users="qiskit/saves.py"),
    Use(
        library="pennylane-lightning",
        owner=lightning_qubit_ops.StateVectorC128(1),
        names=(
            *("PauliX", "PauliY", "PauliZ", "Hadamard", "S", "T", "PhaseShift", "Rot", "CNOT", "CY", "CZ", "SWAP"),
            *("CSWAP", "Toffoli", "ControlledPhaseShift", "CRot", "IsingXX", "IsingYY", "IsingZZ"),
            *("applyMatrix", "getState"),
        ),
        users="execution/simulators/states/{lightning_state,lightning_calls}.py",
    ),
    Use(
        library="pennylane-lightning",
        owner=lightning_qubit_ops.MeasurementsC128,
        names=("probs",),
        users="execution/simulators/states/lightning_state.py",
    ),
    Use(
        library="qiskit-qasm3-import",
        owner=converter,
        names=("_STDGATES", "_escape_qasm2"),
        users="execution/frontend/importer/gates.py, scanner/registers.py",
    ),
    Use(
        library="qiskit-qasm3-import",
        owner=converter.ConvertVisitor,
        names=(
            *("_apply_gate_modifier", "_broadcast_gate", "_define_gate", "_resolve_angle", "_resolve_carg"),
            *("_resolve_constant_duration", "_resolve_constant_float", "_resolve_constant_int", "_resolve_qarg"),
        ),
        users="execution/frontend/importer/{convert,resolve}.py",
    ),
    Use(
        library="qiskit-qasm3-import",
        owner=ValueResolver,
        names=("_index_collection",),
        users="execution/frontend/importer/arithmetic.py",
    ),
    Use(
        library="qiskit-qasm3-import",
        owner=SymbolTables,
        names=("_stack",),
        users="execution/frontend/importer/gates.py",
    ),
    Use(library="openqasm3", owner=qasm3Lexer, names=("qasm3Lexer",), users="execution/frontend/grammar.py"),
    Use(library="openqasm3", owner=qasm3Parser, names=("qasm3Parser",), users="execution/frontend/grammar.py"),
    Use(
        library="antlr4-python3-runtime",
        owner=qasm3Lexer.qasm3Lexer(InputStream("")),
        names=("_tokenStartCharIndex",),
        users="execution/frontend/grammar.py",
    ),
    Use(
        library="antlr4-python3-runtime",
        owner=qasm3Parser.qasm3Parser(None),
        names=("_errHandler",),
        users="execution/frontend/grammar.py",
    ),
    Use(
        library="sqlalchemy",
        owner=select(bindparam("x")).compile(dialect=sqlite.dialect()),
        names=("positiontup", "binds"),
        users="db/engine/prepared.py",
    ),
    Use(
        library="aiormq",
        owner=Channel,
        names=(
            *("confirmations", "create_future", "create_task", "delivery_tag", "message_id_delivery_tag", "number"),
            "write_queue",
        ),
        users="messaging/rabbit/confirmed_writes.py",
    ),
    Use(library="aiormq", owner=ChannelFrame(b"", False), names=("payload", "should_close"), users="the same"),
    Use(
        library="uvicorn",
        owner=HttpToolsProtocol,
        names=(
            *("_unset_keepalive_if_required", "client", "connections", "cycle", "flow", "headers", "loop", "pipeline"),
            *("server_state", "transport", "url", "connection_lost", "connection_made", "data_received"),
            *("on_headers_complete", "on_message_begin", "on_message_complete", "on_response_complete"),
            *("pause_writing", "resume_writing", "send_400_response"),
        ),
        users="api/connection/protocol.py",
    ),
    Use(
        library="uvicorn",
        owner=RequestResponseCycle,
        names=(
            *("disconnected", "keep_alive", "message_event", "response_complete", "response_started", "scope"),
            "transport",
        ),
        users="api/connection/protocol.py",
    ),
]


@pytest.mark.parametrize(
    ("use", "name"), [pytest.param(use, name, id=f"{use.library}-{name}") for use in USES for name in use.names]
)
def test_library_still_has_the_attribute(use: Use, name: str) -> None:
    present = hasattr(use.owner, name) or name in _set_on_instances(use.owner)
    assert present, (
        f"{use.library} {version(use.library)} has no `{name}` on {use.owner!r} any more. Used in "
        f"src/ketline/{use.users}: keep the upper bound in pyproject.toml, or change these modules first."
    )


@pytest.mark.parametrize("library", sorted({use.library for use in USES}))
def test_library_has_an_upper_bound(library: str) -> None:
    server = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["server"]
    (requirement,) = [entry for entry in server if re.split(r"[\[<>=]", entry)[0] == library]
    assert "<" in requirement, f"{library} needs an upper bound: the service uses private attributes of it"


def test_every_private_attribute_that_the_source_uses_is_listed() -> None:
    listed = {name for use in USES for name in use.names}
    unlisted = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in (ROOT / "src").rglob("*.py")
        for name in _private_names_of_others(path.read_text())
        if name not in listed
    }
    assert not unlisted, f"add these to USES: {sorted(unlisted)}"


def test_private_modules_that_the_source_imports_are_of_libraries_with_a_bound() -> None:
    """The libraries that are named here have one: `test_library_has_an_upper_bound`."""
    bounded = {use.library.replace("-", "_") for use in USES}
    imported = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in (ROOT / "src").rglob("*.py")
        for name in _private_imports(path.read_text())
        if name.partition(".")[0] not in bounded
    }
    assert not imported, f"add these to USES: {sorted(imported)}"


def test_locked_versions_are_within_the_bounds() -> None:
    """A lock file that is made with other bounds would run what no test here has seen."""
    server = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["server"]
    wanted = {(requirement := Requirement(entry)).name: requirement.specifier for entry in server}
    locked = {each["name"]: each["version"] for each in tomllib.loads((ROOT / "uv.lock").read_text())["package"]}
    outside = {name: locked[name] for name in {use.library for use in USES} if locked[name] not in wanted[name]}
    assert not outside


def _private_imports(source: str) -> set[str]:
    """The private modules and names of other packages that a module imports, with dots."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in found if re.search(r"\._[a-z]", name) and not name.startswith("ketline.")}


def _private_names_of_others(source: str) -> set[str]:
    """The private attributes of other objects than `self` that a module reads, with an exemption from the linter."""
    tree = ast.parse(source)
    own = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    lines = source.splitlines()
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and re.match(r"_[a-zA-Z]", node.attr)
        and ast.unparse(node.value) != "self"
        and "SLF001" in lines[node.lineno - 1]
    } - own


def _set_on_instances(owner: object) -> set[str]:
    """The names that the methods of a class assign to `self`."""
    if not isinstance(owner, type):
        return set()
    tree = ast.parse(textwrap.dedent(inspect.getsource(owner)))
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and ast.unparse(node.value) == "self"
    }
