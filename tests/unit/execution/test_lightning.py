"""When programs run on Lightning, and what happens where it is missing, forbidden or wrong."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from pennylane_lightning import lightning_qubit_ops as core

from ketline.domain.circuits.gates import applied_by
from ketline.domain.circuits.method import Method
from ketline.domain.devices.backend import Engine
from ketline.domain.tasks.spec import RunOptions
from ketline.execution.circuit.operations import Step
from ketline.execution.frontend.program import Program, load_program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.aer import Simulation, Simulator
from ketline.execution.simulators.methods.statevector import final_state
from ketline.execution.simulators.states.lightning_state import LightningState, load_lightning
from ketline.execution.simulators.states.lightning_test import gates_differ

HEAD = 'OPENQASM 3.0; include "stdgates.inc";'
MEBIBYTE = 1 << 20


def program(qubits: int) -> Program:
    gates = "".join(f"ry(0.{1 + qubit % 9}) q[{qubit}];" for qubit in range(qubits))
    gates += "".join(f"cx q[{qubit}], q[{qubit + 1}];" for qubit in range(qubits - 1))
    return load_program(f"{HEAD} qubit[{qubits}] q; bit[{qubits}] c; {gates} c = measure q;", ExecutionLimits())


def run(qubits: int, limits: ExecutionLimits, **options: Any) -> Simulation:
    return Simulator(limits).run(program(qubits), 200, RunOptions(seed=5, **options))


class WithoutOne:
    """A state that leaves out the gates of one name."""

    def __init__(self, qubits: int, name: str) -> None:
        self._state = LightningState(core, qubits)
        self._name = name

    def apply(self, steps: Sequence[Step]) -> None:
        self._state.apply([step for step in steps if step[0] != self._name])

    def amplitudes(self) -> Any:
        return self._state.amplitudes()


def test_it_is_installed_and_right() -> None:
    assert load_lightning() is not None


@pytest.mark.parametrize("name", sorted(applied_by(Method.STATEVECTOR)))
def test_gate_that_is_wrong_is_found(name: str) -> None:
    assert gates_differ(lambda qubits: WithoutOne(qubits, name))


@pytest.mark.parametrize("qubits", [2, 11, 14, 18])
def test_small_states_are_lightnings(qubits: int) -> None:
    assert run(qubits, ExecutionLimits()).engine is Engine.LIGHTNING


@pytest.mark.parametrize("method", [Method.AUTOMATIC, Method.STATEVECTOR])
def test_aer_alone(method: Method) -> None:
    for qubits in (3, 14):
        assert run(qubits, ExecutionLimits(lightning=False), method=method).engine is Engine.AER


def test_no_room_for_a_copy_of_the_state() -> None:
    """16 qubits take 1 MiB, and as much for a copy."""
    assert run(16, ExecutionLimits(memory_bytes=2 * MEBIBYTE)).engine is Engine.LIGHTNING
    assert run(16, ExecutionLimits(memory_bytes=MEBIBYTE)).engine is Engine.AER


def test_large_states_with_many_threads_are_aers() -> None:
    many = Simulator(ExecutionLimits(threads=4, share_threads=4))._engines
    assert many.lightning_for(21) is not None
    assert many.lightning_for(22) is None
    assert Simulator(ExecutionLimits(threads=2, share_threads=2))._engines.lightning_for(22) is not None


def test_methods_and_programs_of_aers() -> None:
    assert run(3, ExecutionLimits(), method=Method.DENSITY_MATRIX).engine is Engine.AER
    text = f"{HEAD} qubit q; bit[63] c; h q; c[0] = measure q; if (c == 1) ry(0.3) q; c[62] = measure q;"
    simulation = Simulator(ExecutionLimits()).run(load_program(text, ExecutionLimits()), 10)
    assert simulation.engine is Engine.AER


def test_few_shots_that_measure_on_the_way_are_lightnings() -> None:
    """Describing a circuit to Aer takes longer than some shots of it."""
    text = f"{HEAD} qubit q; bit[2] c; h q; c[0] = measure q; reset q; ry(0.3) q; c[1] = measure q;"
    simulation = Simulator(ExecutionLimits()).run(load_program(text, ExecutionLimits()), 10)
    assert simulation.engine is Engine.LIGHTNING


def test_clifford_circuits_of_many_qubits_are_stims() -> None:
    gates = "".join(f"cx q[{qubit}], q[{qubit + 1}];" for qubit in range(29))
    loaded = load_program(f"{HEAD} qubit[30] q; bit[30] c; h q[0]; {gates} c = measure q;", ExecutionLimits())
    assert Simulator(ExecutionLimits()).run(loaded, 10).engine is Engine.STIM


@pytest.mark.parametrize("seed", range(5))
def test_seed_gives_the_counts_that_it_gives_on_aer(seed: int) -> None:
    """Where the shots are drawn from probabilities; Bell states are the hardest, because 0.5 is where draws differ."""
    bell = load_program(f"{HEAD} qubit[2] q; bit[2] c; h q[0]; cx q[0], q[1]; c = measure q;", ExecutionLimits())
    for loaded in (bell, program(5)):
        on_lightning, on_aer = (
            Simulator(ExecutionLimits(lightning=lightning)).run(loaded, 1000, RunOptions(seed=seed)).counts
            for lightning in (True, False)
        )
        assert on_lightning == on_aer


@pytest.mark.parametrize("qubits", [3, 13])
def test_distribution_is_aers(qubits: int) -> None:
    loaded = program(qubits)
    engines = [Simulator(ExecutionLimits(lightning=lightning))._engines for lightning in (True, False)]
    ours, theirs = (final_state(loaded.lowered, one).probabilities(range(qubits)) for one in engines)
    assert np.allclose(ours, theirs, atol=1e-13)
