"""The tables of a device's page: sums of its gates, and the lines of its drawing."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from ketline.domain.devices.device import Device, DeviceGate
from ketline.web.coupling import CouplingDrawing, Place, drawing_of

# The page shows only the first rows of longer tables.
MAX_ROWS = 200
_LIGHTEST = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSummary:
    """A gate of a device on all its qubits; errors and durations are None where none is known."""

    name: str
    places: int
    median_error: float | None
    largest_error: float | None
    median_ns: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A coupling in the drawing; `weight`, from 0 to 1, grows with the largest error of its gates."""

    start: Place
    end: Place
    weight: float
    text: str


def summaries(device: Device) -> Sequence[GateSummary]:
    """The gates of a device, by name."""
    by_name: dict[str, list[DeviceGate]] = defaultdict(list)
    for gate in device.gates:
        by_name[gate.name].append(gate)
    return [_summary(name, gates) for name, gates in by_name.items()]


def coupling_gates(device: Device) -> Sequence[DeviceGate]:
    """The gates on two qubits, in the order of their qubits."""
    return sorted((gate for gate in device.gates if len(gate.qubits) > 1), key=lambda gate: (gate.qubits, gate.name))


def drawn_lines(device: Device) -> tuple[CouplingDrawing, Sequence[Line]] | None:
    """The drawing of a device's couplings with its lines; None if it has none, or too many."""
    drawing = drawing_of(device.num_qubits, device.edges)
    if drawing is None:
        return None
    gates: dict[tuple[int, int], list[DeviceGate]] = defaultdict(list)
    for gate in coupling_gates(device):
        gates[min(gate.qubits), max(gate.qubits)].append(gate)
    most = max((gate.error or 0.0 for found in gates.values() for gate in found), default=0.0)
    lines = [
        Line(
            start=drawing.places[low],
            end=drawing.places[high],
            weight=_weight(max(gate.error or 0.0 for gate in found), most),
            text="; ".join(map(_text, found)),
        )
        for (low, high), found in sorted(gates.items())
    ]
    return drawing, lines


def _summary(name: str, gates: Sequence[DeviceGate]) -> GateSummary:
    errors = [gate.error for gate in gates if gate.error is not None]
    durations = [gate.duration_ns for gate in gates if gate.duration_ns is not None]
    return GateSummary(
        name=name,
        places=len(gates),
        median_error=median(errors) if errors else None,
        largest_error=max(errors, default=None),
        median_ns=median(durations) if durations else None,
    )


def _weight(error: float, most: float) -> float:
    return 1.0 if not most else _LIGHTEST + (1 - _LIGHTEST) * error / most


def _text(gate: DeviceGate) -> str:
    error = "" if gate.error is None else f", error {gate.error:.3g}"
    return f"{gate.name} {gate.qubits[0]}, {gate.qubits[1]}{error}"
