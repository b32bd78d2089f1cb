"""How the results of tasks with gradients become the result of a gradient's job; the tasks of a job store it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ketline.qiskit.results.stored_jobs import entry_of

# The kind of jobs of the gradient, see `runs.RUN`.
GRADIENT = "gradient"


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimatorGradientResult:
    """The gradients of a job, in the shape of the result of the same name of qiskit-algorithms.

    `gradients` has a float64 array for each circuit, with the derivative by each of its parameters in order; `metadata`
    has the names of these. Values are exact, so `precision` is 0.
    """

    gradients: Sequence[Any]
    metadata: Sequence[Mapping[str, Any]]
    precision: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferentiatedPart:
    """A task of a gradient's job: the index of the circuit of each of its points.

    `inputs` are the names of the parameters in the task, `parameters` those in the circuit, in the same order.
    """

    circuits: Sequence[int]
    inputs: Sequence[str]
    parameters: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Differentiation:
    """A job of the gradient, whose tasks are sweeps with one observable at each point."""

    parts: Sequence[DifferentiatedPart]

    def result(self, results: Sequence[Any]) -> EstimatorGradientResult:
        """The gradients of the circuits, from the results of the tasks in order."""
        gradients: dict[int, Any] = {}
        names: dict[int, Sequence[str]] = {}
        for part, result in zip(self.parts, results, strict=True):
            for circuit, [gradient] in zip(part.circuits, result.gradients, strict=True):
                gradients[circuit] = np.array([gradient[name] for name in part.inputs], dtype=np.float64)
                names[circuit] = part.parameters
        order = sorted(gradients)
        return EstimatorGradientResult(
            gradients=[gradients[circuit] for circuit in order],
            metadata=[{"parameters": names[circuit]} for circuit in order],
        )

    def stored(self) -> list[dict[str, Any]]:
        """The metadata of each task."""
        return [
            entry_of(
                GRADIENT,
                number,
                len(self.parts),
                [{"circuits": part.circuits, "inputs": part.inputs, "parameters": part.parameters}],
            )
            for number, part in enumerate(self.parts)
        ]


def read_differentiation(documents: Sequence[Mapping[str, Any]]) -> Differentiation:
    """The gradient's job of which the tasks store these documents."""
    return Differentiation(parts=[DifferentiatedPart(**document) for document in documents])
