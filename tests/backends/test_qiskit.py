"""The Qiskit adapter: counts agree with an exact reference, whatever the program's gates and registers are called."""

import asyncio
import base64
import io
import random

import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister, qpy
from qiskit.circuit import Clbit, Gate
from qiskit.circuit.classical import expr, types
from qiskit.primitives import StatevectorSampler

from ketline.backends import (
    BackendAdapter,
    BackendDescription,
    BackendJob,
    BackendRefused,
    ClientToken,
    ProgramFormat,
    Register,
    RemoteStatus,
)
from ketline.backends.registry import open_adapter
from ketline.domain.backends.backend_list import parse_backends

GENERIC = "fake=qiskit:qiskit.providers.fake_provider:GenericBackendV2;num_qubits=5;noise_info=false"
SHOTS = 4000
HEADER = 'OPENQASM 3.0; include "stdgates.inc"; '


def _opened(options: str = "") -> BackendAdapter:
    [entry] = parse_backends(GENERIC + options)
    return open_adapter(entry)


def _qpy_job(circuit: QuantumCircuit, registers: tuple[int, ...]) -> BackendJob:
    file = io.BytesIO()
    qpy.dump(circuit, file)
    return _job(base64.b64encode(file.getvalue()).decode(), registers, ProgramFormat.QPY)


def _job(
    program: str, registers: tuple[int, ...] | None, program_format: ProgramFormat = ProgramFormat.OPENQASM3
) -> BackendJob:
    sizes = None if registers is None else tuple(Register(bits=bits) for bits in registers)
    return BackendJob(program=program, format=program_format, shots=SHOTS, registers=sizes, seed=5)


async def _run(adapter: BackendAdapter, job: BackendJob) -> dict[str, int]:
    remote_id = await adapter.submit(job, ClientToken(str(random.random())))
    async with asyncio.timeout(120):
        while not (state := await adapter.poll(remote_id)).status.ended:  # noqa: ASYNC110 - as workers poll
            await asyncio.sleep(state.pause_seconds)
    assert state.status is RemoteStatus.DONE, state.message
    return dict(await adapter.result(remote_id, job))


def _random_circuit(seed: int) -> QuantumCircuit:
    """A circuit of five qubits whose registers are measured in random order, and in part."""
    draw = random.Random(seed)
    registers = [ClassicalRegister(draw.randint(1, 2), f"c{number}") for number in range(3)]
    circuit = QuantumCircuit(QuantumRegister(5, "q"), *registers)
    for _ in range(6):
        one, two = draw.sample(range(5), 2)
        circuit.ry(draw.uniform(0, 3), one)
        circuit.rzz(draw.uniform(0, 3), one, two)
        circuit.sx(two)
        circuit.cx(one, two)
    bits = draw.sample(circuit.clbits, draw.randint(2, len(circuit.clbits)))
    for qubit, bit in zip(draw.sample(range(5), 5), bits, strict=False):
        circuit.measure(qubit, bit)
    return circuit


def _reference(circuit: QuantumCircuit) -> dict[str, float]:
    """Probabilities of bitstrings, of Qiskit's reference simulator with 50 times as many shots."""
    [result] = StatevectorSampler(seed=9).run([circuit], shots=50 * SHOTS).result()
    groups = [result.data[register.name].get_bitstrings() for register in reversed(circuit.cregs)]
    found: dict[str, float] = {}
    for key in map(" ".join, zip(*groups, strict=True)):
        found[key] = found.get(key, 0.0) + 1 / (50 * SHOTS)
    return found


async def test_random_circuits_agree_with_the_reference() -> None:
    adapter = _opened()
    try:
        for seed in range(8):
            circuit = _random_circuit(seed)
            counts = await _run(adapter, _qpy_job(circuit, tuple(register.size for register in circuit.cregs)))
            expected = _reference(circuit)
            keys = {*counts, *expected}
            distance = sum(abs(counts.get(key, 0) / SHOTS - expected.get(key, 0.0)) for key in keys) / 2
            assert distance < 0.05, (seed, distance)
    finally:
        await adapter.close()


async def test_a_gate_named_like_one_of_the_backend_keeps_its_own_definition() -> None:
    fake_sx = Gate("sx", 1, [])
    fake_sx.definition = QuantumCircuit(1)
    fake_sx.definition.x(0)
    circuit = QuantumCircuit(2, 2)
    circuit.append(fake_sx, [1])
    circuit.measure([0, 1], [0, 1])
    adapter = _opened()
    try:
        assert await _run(adapter, _qpy_job(circuit, (2,))) == {"10": SHOTS}
        text = "OPENQASM 3.0; gate x a { U(0, 0, 0) a; } qubit q; bit c; x q; c = measure q;"
        assert await _run(adapter, _job(text, (1,))) == {"0": SHOTS}
    finally:
        await adapter.close()


async def test_single_bits_and_registers_keep_their_places() -> None:
    circuit = QuantumCircuit(QuantumRegister(4, "q"), [Clbit()], ClassicalRegister(2, "c"), [Clbit(), Clbit()])
    circuit.x([0, 3])
    circuit.measure([0, 1, 2, 3], [circuit.clbits[2], circuit.clbits[0], circuit.clbits[1], circuit.clbits[4]])
    adapter = _opened()
    try:
        assert await _run(adapter, _qpy_job(circuit, (1, 2, 2))) == {"10 10 0": SHOTS}
        without_registers = BackendJob(program=_qpy_job(circuit, ()).program, format=ProgramFormat.QPY, shots=SHOTS)
        assert await _run(adapter, without_registers) == {"10 10 0": SHOTS}
    finally:
        await adapter.close()


@pytest.mark.parametrize(
    ("program", "registers", "reason"),
    [
        (HEADER + "qubit[6] q; bit c; c = measure q[0];", (1,), "has 6 qubits, and this backend 5"),
        (HEADER + "qubit q; h q;", (), "measures nothing"),
        (HEADER + "qubit q; bit[2] c; bit d; c[0] = measure q;", (1,), "has 3 bits, and its registers 1"),
        (HEADER + "input float a; qubit q; bit c; rx(a) q; c = measure q;", (1,), "takes none"),
        (HEADER + "qubit q; bit c; c = measure q; if (c) { x q; } c = measure q;", (1,), "cannot be transpiled"),
        (HEADER + "qubit q; bit c; nonsense q;", (1,), "cannot be read: .*nonsense"),
    ],
)
async def test_what_the_backend_cannot_run_is_rejected(program: str, registers: tuple[int, ...], reason: str) -> None:
    adapter = _opened()
    try:
        with pytest.raises(BackendRefused, match=reason):
            await adapter.validate(_job(program, registers))
    finally:
        await adapter.close()


async def test_description_is_that_of_the_target() -> None:
    adapter = _opened()
    try:
        description = await adapter.describe()
    finally:
        await adapter.close()
    assert isinstance(description, BackendDescription)
    assert (description.name, description.num_qubits) == ("generic_backend_5q", 5)
    assert set(description.gates) == {"cx", "id", "rz", "sx", "x"}
    assert description.coupling is not None
    assert (0, 1) in description.coupling
    assert (description.local, description.simulator, description.noisy, description.dynamic) == (
        True,
        True,
        False,
        False,
    )


@pytest.mark.parametrize("condition", ["c[0] ^ c[1]", "bool(c)", "c == 3 || d"])
async def test_conditions_that_simulators_evaluate_wrongly_are_rejected(condition: str) -> None:
    registers = QuantumRegister(2, "q"), ClassicalRegister(2, "c"), ClassicalRegister(1, "d")
    circuit = QuantumCircuit(*registers)
    circuit.measure([0, 1], [0, 1])
    c, d = registers[1:]
    conditions = {
        "c[0] ^ c[1]": expr.bit_xor(c[0], c[1]),
        "bool(c)": expr.lift(c),
        "c == 3 || d": expr.logic_or(expr.equal(c, 3), d[0]),
    }
    test = expr.cast(conditions[condition], types.Bool())
    with circuit.if_test(test):
        circuit.x(0)
    adapter = _opened(";control_flow=true")
    try:
        with pytest.raises(BackendRefused, match="branches on a computed value"):
            await adapter.validate(_qpy_job(circuit, (2, 1)))
    finally:
        await adapter.close()
