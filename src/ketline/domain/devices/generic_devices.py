"""The devices that every project has: a line, a grid and a heavy-hexagonal lattice with plausible errors.

No machine has these numbers. They are drawn once, from the ranges that calibrations of superconducting devices report,
and are the same in every installation: `random.random` gives the same numbers everywhere, and they are rounded.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from random import Random

from ketline.domain.devices.device import Device, DeviceGate, DeviceQubit

Edge = tuple[int, int]

_LINE_QUBITS = 27
_GRID_SIDE = 5
# Odd. Source: C. Chamberland et al., Physical Review X 10, 011022 (2020): a heavy-hexagon code of this distance has
# (5 d^2 - 2 d - 1) / 2 qubits.
_DISTANCE = 5

_ONE_QUBIT_NS, _TWO_QUBIT_NS, _READOUT_NS, _RESET_NS = 36.0, 68.0, 1200.0, 1300.0
_DT_NS = 4.0


def line_edges(qubits: int) -> Iterator[Edge]:
    """The pairs of neighbours of a line."""
    return ((low, low + 1) for low in range(qubits - 1))


def grid_edges(rows: int, columns: int) -> Iterator[Edge]:
    """The pairs of neighbours of a grid, whose qubits are numbered by rows."""
    for qubit in range(rows * columns):
        if (qubit + 1) % columns:
            yield qubit, qubit + 1
        if qubit + columns < rows * columns:
            yield qubit, qubit + columns


def heavy_hex_edges(distance: int) -> Iterator[Edge]:
    """The pairs of neighbours of the lattice of a heavy-hexagon code of odd distance.

    It has `distance` lines of 2 distance - 1 qubits, one below the other, and qubits between each two lines that
    connect them at every fourth place and at one end.
    """
    width = 2 * distance - 1
    for row in range(distance):
        yield from ((row * width + place, row * width + place + 1) for place in range(width - 1))
    between = distance * width
    for row in range(distance - 1):
        places = [*range(1, width - 1, 4), width - 1] if row % 2 else [0, *range(3, width, 4)]
        for place in places:
            yield row * width + place, between
            yield between, (row + 1) * width + place
            between += 1


@cache
def generic_devices() -> Mapping[str, Device]:
    """The devices, by name."""
    made = (
        _device("line", f"A line of {_LINE_QUBITS} qubits", tuple(line_edges(_LINE_QUBITS))),
        _device("grid", f"A grid of {_GRID_SIDE} by {_GRID_SIDE} qubits", tuple(grid_edges(_GRID_SIDE, _GRID_SIDE))),
        _device(
            "heavy-hex",
            f"The heavy-hexagonal lattice of distance {_DISTANCE}",
            tuple(heavy_hex_edges(_DISTANCE)),
        ),
    )
    return {device.name: device for device in made}


def _device(shape: str, description: str, edges: Sequence[Edge]) -> Device:
    """A device whose name is its shape and size, with numbers that the name determines."""
    size = 1 + max(max(edge) for edge in edges)
    name = f"{shape}-{size}"
    random = Random(name)  # noqa: S311 - plausible numbers, no secrets
    qubits = tuple(_qubit(random) for _ in range(size))
    gates = [gate for qubit in range(size) for gate in _one_qubit_gates(random, qubit)]
    gates += [gate for edge in edges for gate in _two_qubit_gates(random, edge)]
    return Device(
        name=name,
        description=f"{description}; no real one has these errors",
        qubits=qubits,
        gates=tuple(sorted(gates, key=lambda gate: (gate.name, gate.qubits))),
        dt_ns=_DT_NS,
    )


def _qubit(random: Random) -> DeviceQubit:
    t1_us = _between(random, 120, 320, 1)
    return DeviceQubit(
        t1_us=t1_us,
        t2_us=min(_between(random, 60, 280, 1), t1_us * 2),
        p01=_between(random, 0.004, 0.016, 4),
        p10=_between(random, 0.008, 0.03, 4),
        readout_ns=_READOUT_NS,
    )


def _one_qubit_gates(random: Random, qubit: int) -> Iterator[DeviceGate]:
    """The gates of one qubit: `rz` is a change of the frame, without time or error."""
    error = _between(random, 1.8e-4, 5e-4, 6)
    yield DeviceGate(name="rz", qubits=(qubit,), error=0.0, duration_ns=0.0)
    yield DeviceGate(name="reset", qubits=(qubit,), duration_ns=_RESET_NS)
    for name in ("id", "sx", "x"):
        yield DeviceGate(name=name, qubits=(qubit,), error=error, duration_ns=_ONE_QUBIT_NS)


def _two_qubit_gates(random: Random, edge: Edge) -> Iterator[DeviceGate]:
    """`cz` in both orders of its qubits, which are the same gate."""
    error = _between(random, 0.002, 0.008, 5)
    for qubits in (edge, edge[::-1]):
        yield DeviceGate(name="cz", qubits=qubits, error=error, duration_ns=_TWO_QUBIT_NS)


def _between(random: Random, low: float, high: float, digits: int) -> float:
    return round(low + (high - low) * random.random(), digits)
