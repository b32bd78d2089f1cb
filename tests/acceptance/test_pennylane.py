"""PennyLane's device on a real service: it agrees with `default.qubit`, and as many tasks run as are needed."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import pennylane as qml
import pytest
from pennylane import numpy as pnp
from pennylane.exceptions import DeviceError, WireError
from pennylane.tape import QuantumScript

from ketline.client import Client
from ketline.pennylane import KetlineDevice
from tests.acceptance.processes import running_service
from tests.blocks import long_after, numbers
from tests.forking.client import ForkServer
from tests.unit.client.convert.comparison import assert_sampled_alike

WIRES = ["c", 0, "a", 7]
CIRCUITS = 12  # of a block
SHOTS = 4000

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, fork_server: ForkServer) -> Iterator[str]:
    """A service that all tests of this module share."""
    with running_service(tmp_path_factory.mktemp("pennylane"), fork_server) as url:
        yield url


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[Client]:
    with Client(url) as client:
        yield client


@pytest.fixture
def tasks(client: Client) -> Callable[[], int]:
    """How many tasks were submitted since the test began."""
    before = sum(1 for _ in client.tasks())
    return lambda: sum(1 for _ in client.tasks()) - before


GATES: list[tuple[Any, int, int]] = [
    *((gate, 1, 1) for gate in (qml.RX, qml.RY, qml.RZ, qml.PhaseShift)),
    *((gate, 0, 1) for gate in (qml.H, qml.S, qml.T, qml.SX)),
    *((gate, 1, 2) for gate in (qml.CRX, qml.IsingXY, qml.SingleExcitation, qml.ControlledPhaseShift)),
    *((gate, 0, 2) for gate in (qml.CNOT, qml.CY, qml.ISWAP, qml.ECR)),
    (qml.Rot, 3, 1),
    (qml.CRot, 3, 2),
    (qml.MultiRZ, 1, 3),
    (qml.Toffoli, 0, 3),
    (lambda wires: qml.adjoint(qml.QFT(wires)), 0, 4),
    (lambda wires: qml.ctrl(qml.RX(0.4, wires[2]), wires[:2], control_values=[0, 1]), 0, 3),
    (qml.DoubleExcitation, 1, 4),
]


def random_body(random: np.random.Generator, wires: list[Any]) -> list[Any]:
    """Operations that are random, and act on all wires."""
    operations = [qml.RY(float(random.uniform(0.2, 1.3)), wire) for wire in wires]
    for _ in range(int(random.integers(4, 12))):
        gate, angles, size = GATES[int(random.integers(len(GATES)))]
        some = [wires[place] for place in random.permutation(len(wires))[:size]]
        own = random.uniform(-3, 3, angles).tolist()
        operations.append(gate(*own, wires=some if size > 1 else some[0]))
    return operations


def exact_measurements(random: np.random.Generator, wires: list[Any]) -> list[Any]:
    first, second, third, fourth = (wires[place] for place in random.permutation(4))
    matrix = random.normal(size=(4, 4)) + 1j * random.normal(size=(4, 4))
    hamiltonian = qml.Hamiltonian(
        random.normal(size=3).tolist(), [qml.X(first) @ qml.Y(second), qml.Z(third), qml.I(fourth)]
    )
    return [
        qml.expval(qml.Z(first)),
        qml.expval(hamiltonian),
        qml.expval(2 * qml.Y(second) + qml.Hadamard(first) @ qml.Z(third)),
        qml.expval(qml.Hermitian(matrix + matrix.conj().T, [third, first])),
        qml.expval(qml.Projector([1, 0], [second, fourth])),
        qml.var(qml.X(first) @ qml.Z(fourth)),
        qml.var(hamiltonian),
        qml.probs(wires=[third, first, second]),
        qml.probs(op=qml.Y(second) @ qml.X(third)),
        qml.probs(),
        qml.density_matrix(wires=[second, first]),
        qml.density_matrix(wires=[fourth, first, third]),
        qml.purity(wires=[third]),
        qml.vn_entropy(wires=[second, third]),
        qml.mutual_info([first], [second], log_base=2),
        qml.state(),
    ]


@pytest.mark.parametrize("block", long_after(1, range(4)))
def test_exact_results_are_those_of_the_default_device(client: Client, block: int) -> None:
    for number in numbers(block, CIRCUITS):
        random = np.random.default_rng([20261130, number])
        operations, measurements = random_body(random, WIRES), exact_measurements(random, WIRES)
        wires = [None, WIRES, [*WIRES, "unused"]][number % 3]
        found = exactly(KetlineDevice(wires, client=client), operations, measurements)
        expected = exactly(qml.device("default.qubit", wires=wires), operations, measurements)
        for measurement, one, other in zip(measurements, found, expected, strict=True):
            assert np.shape(one) == np.shape(other), measurement
            np.testing.assert_allclose(one, other, rtol=0, atol=1e-10, err_msg=str(measurement))


WITHOUT_NAMES: Mapping[str, list[Any]] = {
    "no gates": [qml.BasisState([0, 0], ["x", "y"])],
    "no gates on a wire": [qml.BasisState([0, 1, 0], ["x", "y", "z"]), qml.Hadamard("z")],
    "gates on the last wire first": [qml.BasisState([0, 1], ["x", "y"]), qml.RX(0.4, "x")],
    "inside": [qml.BasisEmbedding([0, 1, 1], ["z", "x", "y"]), qml.DoubleExcitation(0.3, ["y", "z", "w", "x"])],
}


@pytest.mark.parametrize("operations", WITHOUT_NAMES.values(), ids=WITHOUT_NAMES)
def test_wires_of_a_device_without_names_are_those_of_the_circuit_in_its_order(
    client: Client, operations: list[Any]
) -> None:
    """Also where gates are decomposed into others, which act on fewer wires or on others first."""
    measurements = [qml.state(), qml.probs()]
    device, default = KetlineDevice(client=client, seed=3), qml.device("default.qubit", seed=3)
    results = [exactly(one, operations, measurements) for one in (device, default)]
    for found, expected in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)
    body = partial(applied, operations, [qml.counts(), qml.sample(), qml.probs()])
    counts, samples, shares = qml.set_shots(qml.QNode(body, device), 300)()
    expected_counts, expected_samples, _ = qml.set_shots(qml.QNode(body, default), 300)()
    assert set(counts) == set(expected_counts)
    assert np.shape(samples) == np.shape(expected_samples)
    assert {int(place) for place in np.flatnonzero(shares)} == {int(outcome, 2) for outcome in counts}


def exactly(device: Any, operations: list[Any], measurements: list[Any]) -> Any:
    return qml.QNode(partial(applied, operations, measurements), device)()


def applied(operations: list[Any], measurements: list[Any]) -> list[Any]:
    """The body of a QNode."""
    for operation in operations:
        qml.apply(operation)
    return [qml.apply(measurement) for measurement in measurements]


@pytest.mark.parametrize("seed", long_after(3, range(12)))
def test_counts_are_those_of_the_default_device(client: Client, seed: int) -> None:
    """With measurements inside the circuit, which decide on gates; at a level of 1e-9 each."""
    random = np.random.default_rng(seed)
    operations = random_body(random, WIRES)
    order = [WIRES[place] for place in random.permutation(4)]

    def body() -> Any:
        for operation in operations:
            qml.apply(operation)
        first = qml.measure(order[0], reset=bool(seed % 2))
        qml.cond(first, qml.RY, qml.RX)(0.8, order[1])
        second = qml.measure(order[0])
        qml.cond(first & ~second, qml.X)(order[3])
        return (
            qml.counts(wires=order[:3]),
            qml.counts([second, first]),
            qml.counts(2 * first + second),
            qml.expval(qml.X(order[1]) @ qml.Z(order[2])),
            qml.probs(wires=order[2:]),
            qml.expval(first),
        )

    ours, theirs = (
        qml.set_shots(qml.QNode(body, device, mcm_method=method), SHOTS)()
        for device, method in (
            (KetlineDevice(WIRES, client=client, seed=seed), None),
            (qml.device("default.qubit", wires=WIRES, seed=seed), "tree-traversal"),
        )
    )
    for one, other in zip(ours[:3], theirs[:3], strict=True):
        assert_sampled_alike(*({str(key): int(count) for key, count in each.items()} for each in (one, other)))
    # Of means of 4,000 values between -1 and 1, by Hoeffding: 1e-9 each.
    np.testing.assert_allclose(ours[3], theirs[3], atol=0.21)
    np.testing.assert_allclose(ours[4], theirs[4], atol=0.11)
    np.testing.assert_allclose(ours[5], theirs[5], atol=0.11)


@pytest.mark.parametrize("shots", [1, 20, (5, 10), ((4, 2), 3)])
def test_results_with_shots_have_the_form_of_the_default_device(client: Client, shots: Any) -> None:
    def body() -> Any:
        qml.X(0)
        qml.X(2)
        outcome = qml.measure(0)
        return (
            qml.expval(qml.Z(0)),
            qml.expval(qml.X(1) + 0.5 * qml.Z(1) + qml.Hermitian(np.eye(2), 0)),
            qml.var(qml.Z(0) @ qml.Z(1)),
            qml.sample(wires=[2, 0]),
            qml.sample(qml.Z(0)),
            qml.probs(wires=[2, 0]),
            qml.counts(wires=[2, 1, 0], all_outcomes=True),
            qml.counts(qml.Z(2)),
            qml.sample(outcome),
            qml.counts(),
        )

    ours, theirs = (
        qml.set_shots(qml.QNode(body, device, mcm_method=method), shots)()
        for device, method in (
            (KetlineDevice(3, client=client), None),
            (qml.device("default.qubit", wires=3), "tree-traversal"),
        )
    )
    assert_same_form(ours, theirs)


def assert_same_form(ours: Any, theirs: Any) -> None:
    """Equal, except for numbers that are random, which are of one shape."""
    if isinstance(theirs, (tuple, list)):
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            assert_same_form(one, other)
    elif isinstance(theirs, dict):
        assert {str(key): int(count) for key, count in ours.items()} == {
            str(key): int(count) for key, count in theirs.items()
        }
    else:
        assert np.shape(ours) == np.shape(theirs)
        if np.shape(theirs):
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    "observable",
    [
        qml.X(0) @ qml.I(1),
        qml.I(0) @ qml.Y(1),
        qml.I(0),
        qml.X(0) @ qml.Y(1) @ qml.X(0),
        -1.5 * qml.Z(0) @ qml.X(1),
        qml.Hamiltonian([-2.0], [qml.Y(0)]),
        qml.Hamiltonian([-2.0, 1.0], [qml.Z(0), qml.X(1)]),
        qml.prod(qml.Hadamard(0), qml.Z(1)),
        qml.Hermitian(np.array([[0.3, 1j], [-1j, -2.0]]), 0),
        qml.Projector([1], 1),
    ],
    ids=str,
)
def test_values_of_shots_belong_to_their_outcomes(client: Client, observable: Any) -> None:
    """Means and variances, of 4,000 values between -3 and 3, to about six standard deviations."""
    operations = [qml.RX(0.4, 0), qml.RY(0.9, 0), qml.RX(1.1, 1), qml.CRY(0.7, [0, 1])]
    of_shots = [qml.expval(observable), qml.var(observable), qml.sample(observable), qml.probs(wires=[0, 1])]
    device = KetlineDevice(2, client=client, seed=3)
    ours = qml.set_shots(qml.QNode(partial(applied, operations, of_shots), device), 4000)()
    state = qml.matrix(QuantumScript(operations), wire_order=[0, 1])[:, 0]
    matrix = qml.matrix(observable, wire_order=[0, 1])
    mean, square = (float(np.vdot(state, power @ state).real) for power in (matrix, matrix @ matrix))
    variance = square - mean**2
    assert float(ours[0]) == pytest.approx(mean, abs=0.2)
    assert float(ours[1]) == pytest.approx(variance, abs=0.5)
    assert np.mean(ours[2]) == pytest.approx(mean, abs=0.2)
    assert np.var(ours[2]) == pytest.approx(variance, abs=0.5)
    assert np.shape(ours[2]) == (4000,)


def test_shots_are_selected_by_outcomes_inside_the_circuit(client: Client) -> None:
    def body() -> Any:
        qml.H(0)
        qml.CNOT([0, 1])
        outcome = qml.measure(0, postselect=1)
        return qml.counts(wires=[0, 1]), qml.expval(qml.Z(1)), qml.counts(outcome)

    counts, mean, inside = qml.set_shots(qml.QNode(body, KetlineDevice(2, client=client, seed=3)), 400)()
    assert list(counts) == ["11"]
    assert 120 < counts["11"] < 280
    assert (mean, inside) == (-1.0, {1.0: counts["11"]})


def test_the_same_seed_gives_the_same_samples(client: Client) -> None:
    def body() -> Any:
        qml.H(0)
        return qml.sample(wires=0)

    first, again, other = (
        qml.set_shots(qml.QNode(body, KetlineDevice(1, client=client, seed=seed)), 100)() for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_shots_beyond_the_limit_of_a_task_are_joined(client: Client, tasks: Callable[[], int]) -> None:
    def body() -> Any:
        qml.RY(1.0, 0)
        return qml.counts(wires=0)

    counts = qml.set_shots(qml.QNode(body, KetlineDevice(1, client=client, seed=1)), 250_000)()
    assert sum(counts.values()) == 250_000
    assert counts["1"] / 250_000 == pytest.approx(np.sin(0.5) ** 2, abs=0.01)
    assert tasks() == 3


def ansatz(device: Any, method: str) -> Any:
    def body(values: Any) -> Any:
        for wire in range(3):
            qml.RY(values[wire], wire)
            qml.RX(values[3 + wire] * 2, wire)
        qml.CRZ(values[0], [0, 1])
        qml.IsingXX(values[6], [1, 2])
        qml.Rot(values[7], 0.2, values[1], 2)
        return qml.expval(qml.Z(0) @ qml.X(1)), qml.expval(qml.Hamiltonian([0.3, -1.2], [qml.Y(2), qml.Z(1)]))

    return stacked(qml.QNode(body, device, diff_method=method))


VALUES = pnp.array(np.linspace(-1, 2, 8), requires_grad=True)


def test_gradients_by_parameter_shifts_are_one_task(client: Client, tasks: Callable[[], int]) -> None:
    found = qml.jacobian(ansatz(KetlineDevice(3, client=client), "parameter-shift"))(VALUES)
    expected = qml.jacobian(ansatz(qml.device("default.qubit", wires=3), "backprop"))(VALUES)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)
    assert tasks() == 2  # the values, and all shifted circuits


@pytest.mark.parametrize("method", ["device", "best", "adjoint"])
def test_gradients_by_the_service_are_one_task(client: Client, tasks: Callable[[], int], method: str) -> None:
    found = qml.jacobian(ansatz(KetlineDevice(3, client=client), method))(VALUES)
    expected = qml.jacobian(ansatz(qml.device("default.qubit", wires=3), "backprop"))(VALUES)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)
    assert tasks() == 1  # the values as well


@pytest.mark.parametrize("seed", long_after(8, range(40)))
def test_gradients_of_random_circuits_are_those_of_the_default_device(client: Client, seed: int) -> None:
    """With gates that have several angles, controls, global phases, and angles that are not trained."""
    random = np.random.default_rng([7, seed])
    operations = [each for each in random_body(random, WIRES) if not isinstance(each, qml.ops.Adjoint)]
    measurements = exact_measurements(random, WIRES)[: int(random.integers(1, 5))]
    angles = [each for operation in operations for each in operation.data]
    trained = random.random(len(angles)) < 0.7
    trained[0] = True

    def body(values: Any) -> Any:
        given, constant = iter(values), iter(np.array(angles)[~trained])
        own = iter([next(given) if each else next(constant) for each in trained])
        for operation in operations:
            qml.apply(qml.ops.functions.bind_new_parameters(operation, [next(own) for _ in operation.data]))
        qml.ctrl(qml.GlobalPhase, WIRES[0])(values[0])
        return [qml.apply(measurement) for measurement in measurements]

    values = pnp.array(np.array(angles)[trained], requires_grad=True)
    ours, theirs = (
        qml.jacobian(stacked(qml.QNode(body, device, diff_method=method)))(values)
        for device, method in (
            (KetlineDevice(WIRES, client=client), "device"),
            (qml.device("default.qubit", wires=WIRES), "adjoint"),
        )
    )
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)


def stacked(circuit: Any) -> Any:
    return lambda values: pnp.stack(circuit(values))


def test_gradients_of_one_angle_and_of_none_have_the_form_of_the_default_device(client: Client) -> None:
    def body(angle: Any) -> Any:
        qml.RX(angle, 0)
        qml.RY(0.3, 0)
        return qml.expval(qml.Z(0))

    device = KetlineDevice(1, client=client)
    found = qml.grad(qml.QNode(body, device, diff_method="device"))(pnp.array(0.4, requires_grad=True))
    assert found == pytest.approx(-np.sin(0.4) * np.cos(0.3), abs=1e-12)
    untrained = qml.QNode(body, device, diff_method="device")(pnp.array(0.4, requires_grad=False))
    assert untrained == pytest.approx(np.cos(0.4) * np.cos(0.3), abs=1e-12)


def test_broadcast_parameters_have_gradients(client: Client, tasks: Callable[[], int]) -> None:
    def body(angles: Any) -> Any:
        qml.RX(angles, 0)
        qml.CNOT([0, 1])
        return qml.expval(qml.Z(1))

    angles = pnp.array(np.linspace(0, 3, 20), requires_grad=True)
    found = qml.jacobian(qml.QNode(body, KetlineDevice(2, client=client), diff_method="device"))(angles)
    np.testing.assert_allclose(found, np.diag(-np.sin(angles)), atol=1e-12)
    assert tasks() == 1


@pytest.mark.parametrize(
    ("measurement", "shots", "options"),
    [
        (qml.probs(wires=0), None, {}),
        (qml.var(qml.Z(0)), None, {}),
        (qml.expval(qml.Z(0)), 10, {}),
        (qml.expval(qml.Z(0)), None, {"method": "density_matrix"}),
    ],
    ids=str,
)
def test_other_gradients_are_made_of_shifted_circuits(
    client: Client, measurement: Any, shots: Any, options: dict[str, Any]
) -> None:
    def body(angle: Any) -> Any:
        qml.RX(angle, 0)
        return qml.apply(measurement)

    device, angle = KetlineDevice(1, client=client, **options), pnp.array(0.4, requires_grad=True)
    found = qml.jacobian(qml.set_shots(qml.QNode(body, device), shots))(angle)
    assert np.all(np.isfinite(found))
    with pytest.raises(qml.exceptions.QuantumFunctionError, match="does not support device"):
        qml.set_shots(qml.QNode(body, device, diff_method="device"), shots)(angle)


def test_broadcast_parameters_are_one_task(client: Client, tasks: Callable[[], int]) -> None:
    def body(angles: Any) -> Any:
        qml.RX(angles, 0)
        qml.CNOT([0, 1])
        return qml.expval(qml.Y(0) @ qml.X(1)), qml.probs(wires=[1, 0])

    angles = np.linspace(0, 3, 20)
    ours = qml.QNode(body, KetlineDevice(2, client=client))(angles)
    theirs = qml.QNode(body, qml.device("default.qubit", wires=2))(angles)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-10)
    assert tasks() == 2  # the observables, and the probabilities


def test_an_optimiser_finds_the_minimum(client: Client) -> None:
    cost = ansatz(KetlineDevice(3, client=client), "best")
    optimiser, values = qml.GradientDescentOptimizer(0.3), VALUES
    for _ in range(20):
        values, before = optimiser.step_and_cost(lambda given: cost(given)[1], values)
    assert before < -1.2


def test_devices_are_found_by_name(url: str) -> None:
    device = qml.device("ketline.simulator", wires=["a", "b"], url=url)
    assert isinstance(device, KetlineDevice)

    circuit = qml.QNode(partial(applied, [qml.X("b")], [qml.expval(qml.Z("b")), qml.expval(qml.Z("a"))]), device)

    with qml.Tracker(device) as tracker:
        assert list(circuit()) == [-1.0, 1.0]
    assert tracker.totals["simulations"] == 1
    device.client.close()


def rejected(device: Any, operations: list[Any], measurements: list[Any], shots: Any = None, **options: Any) -> Any:
    return qml.set_shots(qml.QNode(partial(applied, operations, measurements), device, **options), shots)()


@pytest.mark.parametrize(
    ("operations", "measurements", "shots", "error", "message"),
    [
        ([qml.BitFlip(0.1, 0)], [qml.expval(qml.Z(0))], None, DeviceError, "BitFlip.* not supported"),
        ([qml.X(5)], [qml.expval(qml.Z(0))], None, WireError, "not found on the device"),
        ([qml.X(0)], [qml.sample(wires=0)], None, DeviceError, "not accepted for analytic simulation"),
        ([qml.X(0)], [qml.state()], 10, DeviceError, "not accepted with finite shots"),
        ([qml.X(0)], [qml.classical_shadow(wires=0)], 10, DeviceError, "not accepted with finite shots"),
        ([qml.X(0)], [qml.expval(1j * qml.Z(0))], None, DeviceError, "not Hermitian"),
    ],
    ids=str,
)
def test_what_cannot_run_is_rejected_as_pennylane_does(
    client: Client, operations: Any, measurements: Any, shots: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        rejected(KetlineDevice(2, client=client), operations, measurements, shots)


def test_what_the_service_rejects_is_told(client: Client) -> None:
    with pytest.raises(DeviceError, match="unsupported"):
        rejected(KetlineDevice(1, client=client, method="stim"), [qml.T(0), qml.H(0)], [qml.counts(wires=0)], 10)
    with pytest.raises(DeviceError, match="invalid_request"):
        rejected(KetlineDevice(1, client=client, method="none"), [qml.T(0)], [qml.expval(qml.Z(0))])
    with pytest.raises(DeviceError, match=r"mcm_method .*tree-traversal.* not supported"):
        rejected(KetlineDevice(1, client=client), [], [qml.counts(wires=0)], 10, mcm_method="tree-traversal")


def test_noise_is_that_of_the_service(client: Client) -> None:
    noise = {"name": "readout", "p01": 0.25, "p10": 0.0}
    (counts,) = rejected(KetlineDevice(1, client=client, noise=noise, seed=1), [], [qml.counts(wires=0)], 4000)
    assert 850 < counts["1"] < 1150


def test_exact_values_with_noise_are_those_of_the_mixed_device(client: Client) -> None:
    """A gate on one qubit leaves it maximally mixed with a probability of 0.1: three Pauli errors of a fourth each."""
    operations = [qml.RX(0.4, 0), qml.CNOT([0, 1]), qml.RY(0.9, 1)]
    errors = [qml.DepolarizingChannel(0.075, 0), None, qml.DepolarizingChannel(0.075, 1)]
    with_errors = [each for pair in zip(operations, errors, strict=True) for each in pair if each is not None]
    measurements = [
        qml.expval(qml.Z(0) @ qml.X(1) + 0.5 * qml.Y(0)),
        qml.var(qml.Z(1)),
        qml.probs(wires=[1, 0]),
        qml.density_matrix(wires=[1]),
        qml.purity(wires=[0, 1]),
        qml.vn_entropy(wires=[1, 0]),
    ]
    noise = {"name": "depolarizing", "one_qubit": 0.1}
    found = exactly(KetlineDevice(2, client=client, noise=noise), operations, measurements)
    expected = exactly(qml.device("default.mixed", wires=2), with_errors, measurements)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-10)
    with pytest.raises(DeviceError, match="statevector"):
        exactly(KetlineDevice(2, client=client, noise=noise), operations, [qml.state()])
