"""Each simulation method is one class: what it can do, what it costs, and the run agree."""

import pytest

from ketline.domain.circuits.gates import GATE_TABLE, Origin, applied_by
from ketline.domain.circuits.method import Method
from ketline.domain.devices.backend import METHODS
from ketline.domain.errors import ProgramUnsupported
from ketline.domain.tasks.spec import RunOptions
from ketline.execution.circuit.observables.pauli_sums import PauliSums
from ketline.execution.circuit.passes.lowered import NO_GATES
from ketline.execution.circuit.passes.lowering import lower_observed
from ketline.execution.circuit.plain import plain_of
from ketline.execution.frontend.program import Program, load_program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.engines import Engines
from ketline.execution.simulators.methods import SIMULATION_METHODS, SimulationMethod, choose, choose_observed
from ketline.execution.simulators.quota import Quota

LIMITS = ExecutionLimits()
ANGLES = ("0.7", "-1.1", "2.3", "0.4")
SMALL = "h q[0]; cx q[0], q[1];"


def load(body: str, qubits: int = 4) -> Program:
    text = f'include "stdgates.inc"; qubit[{qubits}] q; bit[{qubits}] c; {body} c = measure q;'
    return load_program(text, LIMITS)


def every_gate(methods: frozenset[Method]) -> Program:
    """A program that calls the gates which some methods apply, or with none all that a program can call."""
    calls = [
        f"{gate.name}{'(' + ', '.join(ANGLES[: gate.parameters]) + ')' if gate.parameters else ''} "
        + ", ".join(f"q[{qubit}]" for qubit in range(gate.qubits))
        for gate in GATE_TABLE
        if gate.qubits and gate.origin is not Origin.LOWERED and methods <= gate.methods
    ]
    return load("; ".join(calls) + ";")


def test_every_method_that_is_offered_is_a_class() -> None:
    assert SIMULATION_METHODS.keys() == METHODS.keys() - {Method.AUTOMATIC}
    assert all(method.name is name for name, method in SIMULATION_METHODS.items())
    assert len({type(method) for method in SIMULATION_METHODS.values()}) == len(SIMULATION_METHODS)


@pytest.mark.parametrize("method", SIMULATION_METHODS.values(), ids=SIMULATION_METHODS)
def test_circuit_has_only_gates_that_the_method_applies(method: SimulationMethod) -> None:
    is_clifford = method.name in (Method.STABILIZER, Method.STIM)
    lowered = every_gate(frozenset({method.name}) if is_clifford else frozenset()).lowered
    method.require(lowered, 1 << 30)
    operations = method.circuit(lowered, 10_000).count_ops().keys()
    assert operations <= applied_by(method.name) | NO_GATES


@pytest.mark.parametrize("method", SIMULATION_METHODS.values(), ids=SIMULATION_METHODS)
def test_costs_of_a_small_circuit_are_known(method: SimulationMethod) -> None:
    lowered = load(SMALL).lowered
    known = method.state_bytes(lowered)
    assert known is not None
    assert method.bytes_needed(lowered) == known > 0
    seconds = method.seconds(lowered, 100, LIMITS)
    assert seconds is not None
    assert 0 < seconds < 1


@pytest.mark.parametrize("method", SIMULATION_METHODS.values(), ids=SIMULATION_METHODS)
def test_run_gives_as_many_counts_as_shots(method: SimulationMethod) -> None:
    engine, options = Engines(LIMITS, Quota(LIMITS)), RunOptions(seed=1, memory=True)
    counts, memory = method.run(engine, load(SMALL), 100, options, likely_repeated=False)
    assert counts.keys() == {"0000", "0011"}
    assert sum(counts.values()) == len(memory or ()) == 100


@pytest.mark.parametrize("method", SIMULATION_METHODS.values(), ids=SIMULATION_METHODS)
def test_expectation_values_are_given_or_rejected(method: SimulationMethod) -> None:
    program = load(SMALL)
    circuit = program.lowered.circuit.remove_final_measurements(inplace=False)
    lowered = lower_observed(plain_of(circuit), 100, range(circuit.num_qubits)).lowered
    if not method.gives_values:
        with pytest.raises(ProgramUnsupported, match=f"method '{method.name}' has no expectation values"):
            choose_observed(lowered, method.name, LIMITS)
        with pytest.raises(ProgramUnsupported, match=f"method '{method.name}' has no expectation values"):
            method.expect(Engines(LIMITS, Quota(LIMITS)), program, PauliSums((), ()))
        return
    choice = choose_observed(lowered, method.name, LIMITS)
    assert choice.method is method


def test_requested_method_is_chosen() -> None:
    lowered = load(SMALL).lowered
    for name, method in SIMULATION_METHODS.items():
        choice = choose(lowered, 10, name, LIMITS)
        assert (choice.method, choice.reason) == (method, "as requested")
