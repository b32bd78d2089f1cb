"""Models that are not physical, or too large: each is rejected with a sentence, quickly, and nothing is run."""

from collections.abc import Callable
from time import process_time
from typing import Any

import numpy as np
import pytest
from qiskit.circuit import QuantumCircuit
from qiskit.circuit.library import UnitaryGate

from ketline.domain.circuits.method import Method
from ketline.domain.circuits.program_format import ProgramFormat
from ketline.domain.errors import NoiseInvalid
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.execution.child.executor import Executor
from ketline.execution.limits import ExecutionLimits
from ketline.execution.protocol.requests import Command, Request
from ketline.execution.simulators.channels.model import model_of
from tests.circuits import as_qpy

PROGRAM = 'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[2] c; h q[0]; cx q[0], q[1]; c = measure q;'
ONE = [[[1, 0], [0, 0]], [[0, 0], [1, 0]]]
HALF = [[[0.5, 0], [0, 0]], [[0, 0], [0.5, 0]]]


def error(**changes: Any) -> dict[str, Any]:
    plain = {
        "type": "qerror",
        "operations": ["h"],
        "instructions": [[{"name": "x", "qubits": [0]}], [{"name": "id", "qubits": [0]}]],
        "probabilities": [0.1, 0.9],
    }
    return plain | changes


def of(*errors: Any) -> dict[str, Any]:
    return {"model": {"errors": list(errors)}}


def single(name: str, qubits: Any, *parameters: Any) -> dict[str, Any]:
    return error(instructions=[[{"name": name, "qubits": qubits, "params": list(parameters)}]], probabilities=[1.0])


READOUT = {"type": "roerror", "operations": ["measure"], "probabilities": [[0.9, 0.1], [0.2, 0.8]]}
REJECTED: dict[str, tuple[Callable[[], Any], str]] = {
    "probabilities above 1": (lambda: of(error(probabilities=[0.6, 0.9])), "add up to 1.5"),
    "probabilities below 1": (lambda: of(error(probabilities=[0.1, 0.1])), "add up to 0.2"),
    "a negative probability": (lambda: of(error(probabilities=[-0.1, 1.1])), "not from 0 to 1"),
    "a probability that is no number": (lambda: of(error(probabilities=[float("nan"), 1])), "not from 0 to 1"),
    "too few probabilities": (lambda: of(error(probabilities=[1.0])), "2 terms and 1 prob"),
    "no terms": (lambda: of(error(instructions=[], probabilities=[])), "has 0 terms"),
    "too many terms": (
        lambda: of(error(instructions=[[{"name": "x", "qubits": [0]}]] * 1025, probabilities=[1 / 1025] * 1025)),
        "1025 terms",
    ),
    "too many errors": (lambda: of(*[error()] * 10_001), "10001 errors"),
    "too many models": (lambda: [of(error())] * 9, "1 to 8 models"),
    "no models": (list, "1 to 8 models"),
    "a long term": (
        lambda: of(error(instructions=[[{"name": "x", "qubits": [0]}] * 17], probabilities=[1.0])),
        "17 operations",
    ),
    "Kraus operators that lose": (lambda: of(single("kraus", [0], HALF)), "do not preserve the trace"),
    "Kraus operators that gain": (lambda: of(single("kraus", [0], ONE, HALF)), "do not preserve the trace"),
    "many Kraus operators": (lambda: of(single("kraus", [0], *[HALF] * 17)), "17 Kraus operators"),
    "no Kraus operators": (lambda: of(single("kraus", [0])), "0 Kraus operators"),
    "not unitary": (lambda: of(single("unitary", [0], HALF)), "not unitary"),
    "NaN in a matrix": (
        lambda: of(single("kraus", [0], [[[float("nan"), 0], [0, 0]], [[0, 0], [1, 0]]])),
        "an entry beyond 1",
    ),
    "an infinite entry": (lambda: of(single("unitary", [0], [[[1e999, 0], [0, 0]], [[0, 0], [1, 0]]])), "beyond 1"),
    "a huge entry": (lambda: of(single("unitary", [0], [[[1e308, 0], [0, 0]], [[0, 0], [1, 0]]])), "beyond 1"),
    "a matrix of another size": (lambda: of(single("kraus", [0, 1], ONE)), "not of 4 rows"),
    "a ragged matrix": (lambda: of(single("kraus", [0], [[[1, 0]], [[0, 0], [1, 0]]])), "not a model"),
    "an unknown operation": (lambda: of(single("initialize", [0])), "no error can have"),
    "a pickle": (lambda: of(single("kraus", [0], "gASVKAAAAAAAAACMBXBvc2l4")), "not a model|not of 2 rows"),
    "an error on three qubits": (lambda: of(single("x", [2])), "one qubit or two"),
    "the same qubit twice": (lambda: of(single("cx", [0, 0])), "one qubit or two"),
    "an error of two qubits on a gate of one": (lambda: of(single("pauli", [0, 1], "XX")), "acts on 2 qubits"),
    "letters for other qubits": (lambda: of(single("pauli", [0], "XX")), "'pauli' on 1 qubits"),
    "other letters": (lambda: of(single("pauli", [0], "A")), "Pauli operators"),
    "a gate without errors": (lambda: of(error(operations=["ccx"])), "'ccx'.*errors attach to"),
    "a delay": (lambda: of(error(operations=["delay"])), "'delay'"),
    "gate qubits of another number": (lambda: of(error(gate_qubits=[[0, 1]])), "not on \\[0, 1\\]"),
    "the gate's own qubit twice": (
        lambda: of(single("cx", [0, 1]) | {"operations": ["cx"], "gate_qubits": [[3, 3]]}),
        "not on \\[3, 3\\]",
    ),
    "readout of two qubits": (lambda: of(READOUT | {"gate_qubits": [[0, 1]]}), "of one qubit each"),
    "readout that does not add up": (lambda: of(READOUT | {"probabilities": [[0.5, 0.1], [0, 1]]}), "add up to 0.6"),
    "a name that there is not": (lambda: {"name": "cosmic rays"}, "not a model"),
    "a parameter that there is not": (lambda: {"name": "depolarizing", "three_qubit": 0.1}, "not a model"),
    "a list of numbers": (lambda: [1, 2], "not a model"),
    "text": (lambda: {"model": "errors"}, "not a model"),
    "deep nesting": (lambda: of(single("kraus", [0], nested(500))), "not a model|not of 2 rows"),
    "T1 of nothing": (
        lambda: {"name": "thermal_relaxation", "t1_us": 0, "t2_us": 1, "one_qubit_ns": 1},
        "not a model",
    ),
}


def nested(depth: int) -> list[Any]:
    inner: list[Any] = []
    for _ in range(depth):
        inner = [inner]
    return inner


@pytest.mark.parametrize("name", REJECTED)
def test_model_is_rejected(name: str) -> None:
    make, words = REJECTED[name]
    with pytest.raises(NoiseInvalid, match=words):
        model_of(make())


@pytest.fixture(scope="module")
def executor() -> Executor:
    return Executor(ExecutionLimits())


@pytest.mark.parametrize("command", [Command.RUN, Command.INSPECT])
@pytest.mark.parametrize("method", [Method.AUTOMATIC, Method.DENSITY_MATRIX, Method.STATEVECTOR])
@pytest.mark.parametrize("number", range(3))
def test_error_of_one_qubit_on_a_unitary_of_two(
    executor: Executor, number: int, method: Method, command: Command
) -> None:
    """Alone, and before or after an error of two qubits."""
    narrow = of(single("x", [0]) | {"operations": ["unitary"]})
    wide = {"name": "depolarizing", "two_qubit": 0.1}
    circuit = QuantumCircuit(2, 2)
    circuit.append(UnitaryGate(np.eye(4)[::-1]), [0, 1])
    circuit.measure([0, 1], [0, 1])
    noise: Any = [[narrow], [narrow, wide], [wide, narrow]][number]
    options = RunOptions(noise=noise, seed=1, method=method, format=ProgramFormat.QPY)
    request = Request(TaskSpec(circuit=as_qpy(circuit), shots=10, options=options), command=command)
    outcome: Any = executor.respond(request).outcome
    assert outcome.failure.code == "noise_invalid"
    assert "acts on 1 qubits, and this program has 'unitary' on 2" in outcome.failure.message


def test_executor_goes_on_after_rejections(executor: Executor) -> None:
    for make, _ in REJECTED.values():
        options = RunOptions(noise=make(), seed=1)
        response = executor.respond(Request(TaskSpec(circuit=PROGRAM, shots=10, options=options)))
        assert isinstance(response.outcome, NoiseInvalid)
        assert not response.retiring
    options = RunOptions(noise=of(error()), seed=1)
    assert executor.run(Request(TaskSpec(circuit=PROGRAM, shots=10, options=options))).shots == 10


@pytest.mark.long
def test_the_largest_models_take_seconds_at_most() -> None:
    """As many Kraus operators as a body of seven megabytes holds, and the most terms."""
    operators = [[[[0.25, 0], [0, 0]], [[0, 0], [0.25, 0]]]] * 16
    kraus = {"name": "kraus", "qubits": [0], "params": operators}
    started = process_time()
    model_of(of(*[error(instructions=[[kraus]], probabilities=[1.0])] * 5_000))
    terms = [[{"name": "pauli", "qubits": [0, 1], "params": ["XY"]}, {**kraus, "qubits": [1]}]] * 1024
    wide = of(error(operations=["cx"], instructions=terms, probabilities=[1 / 1024] * 1024))
    model = model_of([wide] * 8)
    channel = model.channel("cx", (0, 1))
    assert channel is not None
    assert len(channel.terms) == 1
    assert process_time() - started < 60
