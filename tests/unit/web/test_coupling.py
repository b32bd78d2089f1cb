"""Drawings of couplings: what is coupled is close, and no two qubits are at one place."""

from itertools import combinations
from math import dist

import pytest

from ketline.domain.devices.device import Device, DeviceGate, DeviceQubit
from ketline.domain.devices.generic_devices import generic_devices, grid_edges, heavy_hex_edges, line_edges
from ketline.web.coupling import MAX_DRAWN_QUBITS, WIDTH, Edge, drawing_of
from ketline.web.device_tables import drawn_lines, summaries

GRAPHS: dict[str, list[Edge]] = {
    "line": list(line_edges(27)),
    "grid": list(grid_edges(5, 5)),
    "heavy hex": list(heavy_hex_edges(5)),
    "large heavy hex": list(heavy_hex_edges(7)),
    "ring": [*line_edges(20), (19, 0)],
    "pair": [(0, 1)],
    "star": [(0, leaf) for leaf in range(1, 40)],
    "complete": list(combinations(range(20), 2)),
    "two parts": [(0, 1), (1, 2), (3, 4), (4, 5)],
    "lonely qubits": [(2, 5), (5, 9)],
    "long": list(line_edges(MAX_DRAWN_QUBITS)),
}


def size(edges: list[Edge]) -> int:
    return 1 + max(max(edge) for edge in edges)


@pytest.mark.parametrize("name", GRAPHS)
def test_every_qubit_has_a_place_of_its_own_in_the_drawing(name: str) -> None:
    edges = GRAPHS[name]
    drawing = drawing_of(size(edges), edges)
    assert drawing is not None
    assert len(drawing.places) == size(edges)
    for x, y in drawing.places:
        assert drawing.radius <= x <= WIDTH - drawing.radius
        assert drawing.radius <= y <= drawing.height - drawing.radius
    assert min(dist(one, other) for one, other in combinations(drawing.places, 2)) > 2 * drawing.radius > 6
    assert drawing.labelled == (name != "long")


@pytest.mark.parametrize("name", ["line", "grid", "heavy hex", "large heavy hex", "ring"])
def test_coupled_qubits_are_closer_than_others(name: str) -> None:
    edges = GRAPHS[name]
    drawing = drawing_of(size(edges), edges)
    assert drawing is not None
    lengths = [dist(drawing.places[low], drawing.places[high]) for low, high in edges]
    others = [
        dist(drawing.places[low], drawing.places[high])
        for low, high in combinations(range(size(edges)), 2)
        if (low, high) not in edges and (high, low) not in edges
    ]
    assert sum(lengths) / len(lengths) < sum(others) / len(others) / 2


def test_a_line_is_drawn_as_one() -> None:
    drawing = drawing_of(27, GRAPHS["line"])
    assert drawing is not None
    across = [x for x, _ in drawing.places]
    assert across in (sorted(across), sorted(across, reverse=True))


def test_drawing_is_the_same_each_time() -> None:
    assert drawing_of(57, GRAPHS["heavy hex"]) == drawing_of(57, GRAPHS["heavy hex"])


def test_devices_without_couplings_or_with_too_many_have_none() -> None:
    assert drawing_of(5, []) is None
    assert drawing_of(MAX_DRAWN_QUBITS + 1, [(0, 1)]) is None
    assert drawing_of(100, list(combinations(range(100), 2))) is None


def test_lines_tell_the_errors_of_both_directions() -> None:
    gates = (
        DeviceGate(name="cx", qubits=(0, 1), error=0.01),
        DeviceGate(name="cx", qubits=(1, 2), error=0.001),
        DeviceGate(name="ecr", qubits=(1, 0), error=0.02),
        DeviceGate(name="x", qubits=(0,)),
    )
    drawn = drawn_lines(Device(name="mine", qubits=(DeviceQubit(),) * 3, gates=gates))
    assert drawn is not None
    drawing, (first, second) = drawn
    assert (first.start, first.end, second.end) == (drawing.places[0], drawing.places[1], drawing.places[2])
    assert (first.weight, first.text) == (1.0, "cx 0, 1, error 0.01; ecr 1, 0, error 0.02")
    assert second.weight == pytest.approx(0.3 + 0.7 / 20)


def test_gates_are_summed_up_by_name() -> None:
    for device in generic_devices().values():
        by_name = {one.name: one for one in summaries(device)}
        assert sum(one.places for one in by_name.values()) == len(device.gates)
        assert (by_name["rz"].largest_error, by_name["cz"].median_ns) == (0.0, 68.0)
        assert by_name["reset"].median_error is by_name["reset"].largest_error is None
        errors = sorted(gate.error or 0 for gate in device.gates if gate.name == "cz")
        assert by_name["cz"].largest_error == errors[-1]
        assert errors[0] < (by_name["cz"].median_error or 0) < errors[-1]
