"""The programs of docs/ecosystem.md, with the real libraries on a real service: what they compute is right.

Reference values come from numpy, from the libraries' own simulators, or from what a program is made of.
"""

import gc
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import Any

import numpy as np
import pennylane as qml
import pytest
from mitiq import zne
from qiskit_aer import AerSimulator
from qiskit_machine_learning.neural_networks import EstimatorQNN

from ketline.client import Client
from tests.acceptance.processes import running_service
from tests.forking.client import ForkServer
from tests.pages import walk

PAGE = walk.ROOT / "docs" / "ecosystem.md"
_SECTION = re.compile(r"^## (.+)$", re.MULTILINE)

# Libraries warn of what they will change.
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(600)]

Names = Mapping[str, Any]
ONE_QUBIT = [
    "h",
    "x",
    "y",
    "z",
    "s",
    "sdg",
    "t",
    "tdg",
    "sx",
    "sxdg",
    "rx",
    "ry",
    "rz",
    "p",
    "u",
    "u1",
    "u2",
    "u3",
    "id",
]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, fork_server: ForkServer) -> Iterator[str]:
    """A service that all tests of this module share."""
    with running_service(tmp_path_factory.mktemp("ecosystem"), fork_server) as url:
        yield url


def sections() -> dict[str, str]:
    """The text of each section by its heading."""
    _, *parts = _SECTION.split(PAGE.read_text(encoding="utf-8"))
    return dict(zip(parts[::2], parts[1::2], strict=True))


def check_vqe(names: Names) -> None:
    exact = np.linalg.eigvalsh(names["hydrogen"].to_matrix())[0]
    assert names["energy"].real == pytest.approx(exact, abs=1e-2)
    assert names["by_gradients"].real == pytest.approx(exact, abs=1e-4)


def check_qaoa(names: Names) -> None:
    edges = names["edges"]
    largest = max(sum(bits[one] != bits[other] for one, other in edges) for bits in product((0, 1), repeat=5))
    assert len(names["cut"]) == largest


def check_grover(names: Names) -> None:
    found = names["found"]
    assert (found.top_measurement, found.oracle_evaluation) == ("101", True)
    # sin²(5 arcsin(1/√8)) of 1,024 shots; six standard deviations.
    assert found.max_probability == pytest.approx(np.sin(5 * np.arcsin(8**-0.5)) ** 2, abs=0.043)


def check_phase(names: Names) -> None:
    assert names["estimation"].phase == 5 / 16


def check_network(names: Names) -> None:
    local = EstimatorQNN(
        circuit=names["network"].circuit,
        input_params=names["features"].parameters,
        weight_params=names["ansatz"].parameters,
        default_precision=0.0,
    )
    points, weights = np.array([[0.5, 0.7], [0.2, 0.1]]), names["weights"]
    output, (_, gradient) = local.forward(points, weights), local.backward(points, weights)
    assert output is not None
    assert gradient is not None
    np.testing.assert_allclose(names["output"], output, atol=1e-9)
    np.testing.assert_allclose(names["gradient"], gradient, atol=1e-9)
    assert (names["output"].shape, names["gradient"].shape) == ((2, 1), (2, 1, 4))


def check_benchmark(names: Names) -> None:
    """A Clifford gate has the error of n gates of the device, which leave a state with a factor of (1 - 2 error)^n."""
    circuits = names["benchmark"].circuits()
    counts = sum((Counter(circuit.decompose().count_ops()) for circuit in circuits), Counter())
    cliffords = sum(circuit.metadata["xval"] + 1 for circuit in circuits)
    factor = 1.0
    for gate in ("sx", "x", "rz"):
        factor *= (1 - 2 * names["device"].target[gate][(0,)].error) ** (counts[gate] / cliffords)
    expected = (1 - factor) / 2
    assert names["error"].std_dev < 0.1 * expected
    assert names["error"].nominal_value == pytest.approx(expected, abs=5 * names["error"].std_dev)


def check_relaxation(names: Names) -> None:
    found, expected = names["relaxation"], names["device"].target.qubit_properties[0].t1
    assert found.std_dev < expected / 20
    assert found.nominal_value == pytest.approx(expected, abs=5 * found.std_dev)


def check_extrapolation(names: Names) -> None:
    simulator = AerSimulator(noise_model=names["noise"], method="density_matrix", seed_simulator=11)

    def mean_of_zz(circuit: Any) -> float:
        counts = simulator.run(circuit.measure_all(inplace=False), shots=20000).result().get_counts()
        return float(sum(count if key.count("1") % 2 == 0 else -count for key, count in counts.items()) / 20000)

    theirs = zne.execute_with_zne(names["pairs"], mean_of_zz, scale_noise=zne.scaling.fold_global)
    # The extrapolation is a sum of three means with factors up to 3, each with a standard deviation below 0.005.
    assert names["noisy"] == pytest.approx(mean_of_zz(names["pairs"]), abs=0.05)
    assert names["mitigated"] == pytest.approx(theirs, abs=0.12)
    assert abs(names["mitigated"] - 1) < abs(names["noisy"] - 1) / 2


def check_pennylane(names: Names) -> None:
    local = qml.QNode(names["energy"].func, qml.device("default.qubit", wires=2))
    start = qml.numpy.array([0.4, 0.3], requires_grad=True)
    np.testing.assert_allclose(names["gradient"], qml.grad(local)(start), atol=1e-9)
    matrix = qml.matrix(qml.Z(0) @ qml.Z(1) + 0.5 * qml.X(0), wire_order=[0, 1])
    assert float(names["energy"](names["angles"])) == pytest.approx(np.linalg.eigvalsh(matrix)[0], abs=1e-2)
    inside, outside = names["teleported"]()
    assert {int(key): count for key, count in inside.items()} == {int(key): count for key, count in outside.items()}
    assert outside["1"] / 1000 == pytest.approx(np.sin(0.6) ** 2, abs=0.1)


CHECKS: Mapping[str, Callable[[Names], None]] = {
    "VQE": check_vqe,
    "QAOA": check_qaoa,
    "Grover's search": check_grover,
    "Phase estimation": check_phase,
    "A quantum neural network": check_network,
    "Randomized benchmarking": check_benchmark,
    "T1": check_relaxation,
    "Zero-noise extrapolation": check_extrapolation,
    "PennyLane": check_pennylane,
}


def test_each_section_is_checked() -> None:
    assert list(sections()) == list(CHECKS)


@pytest.mark.parametrize("heading", CHECKS)
def test_program_prints_what_the_page_says_and_is_right(url: str, heading: str) -> None:
    section = sections()[heading]
    # Other tests of this process may have left some, also such that could not be made.
    others = [each for each in gc.get_objects() if isinstance(each, Client)]
    try:
        executed, names = walk.executed_program(section, url)
        assert executed == section
        CHECKS[heading](names)
    finally:
        # A program ends with its process, and its connections with it.
        for each in gc.get_objects():
            if isinstance(each, Client) and each not in others:
                each.close()
