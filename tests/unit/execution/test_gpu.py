"""Large states on a GPU, and the error where there is none: the wheels of qiskit-aer in the lock file have no GPU."""

from dataclasses import replace

import pytest

from ketline.domain.circuits.method import Method
from ketline.domain.devices.backend import Engine
from ketline.domain.errors import ConfigurationInvalid, SimulationFailed
from ketline.domain.tasks.spec import RunOptions
from ketline.execution.frontend.program import Program, load_program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.parent.gpu import require_gpu
from ketline.execution.simulators.aer import Simulator
from ketline.execution.simulators.engines import expected_engines

LIMITS = ExecutionLimits(memory_bytes=256 << 20, gpu=True)
STATEVECTOR = RunOptions(method=Method.STATEVECTOR)


def chain(qubits: int) -> Program:
    ladder = "".join(f"cx q[{qubit}], q[{qubit + 1}]; t q[{qubit}]; " for qubit in range(qubits - 1))
    return load_program(
        f'include "stdgates.inc"; qubit[{qubits}] q; bit[{qubits}] c; h q[0]; {ladder}c = measure q;', LIMITS
    )


def test_worker_that_is_to_use_a_gpu_does_not_start_without_one() -> None:
    with pytest.raises(ConfigurationInvalid, match=r"Aer finds no GPU \(its devices: CPU\). Install qiskit-aer-gpu"):
        require_gpu()


def test_large_state_is_not_built_elsewhere_where_a_gpu_is_to_be_used() -> None:
    with pytest.raises(SimulationFailed, match="on a GPU"):
        Simulator(LIMITS).run(chain(22), 10, STATEVECTOR)


def test_large_state_is_built_on_the_processor_where_no_gpu_is_to_be_used() -> None:
    found = Simulator(replace(LIMITS, gpu=False)).run(chain(22), 10, STATEVECTOR)
    assert found.engine in (Engine.AER, Engine.LIGHTNING)
    assert sum(found.counts.values()) == 10


def test_small_states_need_no_gpu() -> None:
    found = Simulator(LIMITS).run(chain(12), 10, STATEVECTOR)
    assert found.engine is Engine.LIGHTNING


@pytest.mark.parametrize(("qubits", "faster"), [(21, True), (22, False)])
def test_predicted_engine_is_that_of_the_run(qubits: int, faster: bool) -> None:
    assert expected_engines(qubits, LIMITS).lightning_is_faster is faster
