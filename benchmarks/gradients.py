"""Gradients by both methods and by differences: `python -m benchmarks.gradients [--rounds 5]`.

Each task goes through the executor of a simulator process, text to result, and is timed in turn with the others: the
adjoint method, the parameter-shift rule, and a sweep over central differences, which is what a client without gradients
submits. Processor time, medians. Run it with OPENBLAS_NUM_THREADS=1, as simulator processes are.
"""

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from random import Random
from statistics import median

from ketline.domain.circuits.method import Method
from ketline.domain.results.gradients import Gradient, GradientMethod
from ketline.domain.results.result import RunResult
from ketline.domain.tasks.inputs import Inputs
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.execution.child.executor import Executor
from ketline.execution.limits import ExecutionLimits
from ketline.execution.protocol.requests import Request

_STEP = 1e-5
# Qubits and inputs; of so many qubits the slower ways are left out.
_SIZES = ((4, 20), (8, 100), (12, 100), (16, 100), (20, 100))
_MAX_BY_SHIFTS = 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    executor = Executor(ExecutionLimits(memory_bytes=2 << 30))
    executor.warm_up()
    print(
        "| qubits | inputs | value alone, ms | adjoint, ms | parameter shift, ms | differences, ms | "
        "adjoint / value | shift / adjoint |\n|---|---|---|---|---|---|---|---|"
    )
    for qubits, inputs in _SIZES:
        text, values = ansatz(qubits, inputs)
        ways = [_value(text, values), _gradient(text, values, GradientMethod.ADJOINT)]
        if qubits <= _MAX_BY_SHIFTS:
            ways += [_gradient(text, values, GradientMethod.PARAMETER_SHIFT), _differences(text, values)]
        times = _by_turns(executor, ways, rounds if qubits < 16 else min(3, rounds))
        value, adjoint, *slower = times
        cells = [f"{1000 * seconds:.3g}" for seconds in times] + ["–"] * (4 - len(times))
        ratio = f"{slower[0] / adjoint:.3g}" if slower else "–"
        print(f"| {qubits} | {inputs} | {' | '.join(cells)} | {adjoint / value:.3g} | {ratio} |", flush=True)


def ansatz(qubits: int, inputs: int) -> tuple[str, Mapping[str, float]]:
    """Layers of `ry` and `rz` with an input each, and of `cx`, until there are so many inputs; and their values."""
    draw, lines = Random(qubits), []
    values: dict[str, float] = {}
    while len(values) < inputs:
        for qubit in range(qubits):
            for gate in ("ry", "rz"):
                if len(values) < inputs:
                    name = f"t{len(values)}"
                    values[name] = draw.uniform(-3, 3)
                    lines.append(f"{gate}({name}) q[{qubit}];")
        lines += [f"cx q[{qubit}], q[{qubit + 1}];" for qubit in range(qubits - 1)]
    declared = [f"input float {name};" for name in values]
    return "\n".join(["OPENQASM 3.0;", 'include "stdgates.inc";', *declared, f"qubit[{qubits}] q;", *lines]), values


def _ising(qubits: int) -> Mapping[str, float]:
    """A transverse-field Ising model, as of a variational algorithm."""
    pairs = {"I" * (qubits - 2 - k) + "ZZ" + "I" * k: 1.0 for k in range(qubits - 1)}
    return pairs | {"I" * (qubits - 1 - k) + "X" + "I" * k: 0.7 for k in range(qubits)}


def _spec(text: str, inputs: Inputs, gradient: Gradient | None = None) -> TaskSpec:
    qubits = int(text.split("qubit[")[1].split("]")[0])
    options = RunOptions(method=Method.STATEVECTOR, observables=(_ising(qubits),), gradient=gradient)
    return TaskSpec(circuit=text, shots=1, inputs=inputs, options=options)


def _value(text: str, values: Mapping[str, float]) -> TaskSpec:
    return _spec(text, values)


def _gradient(text: str, values: Mapping[str, float], method: GradientMethod) -> TaskSpec:
    return _spec(text, values, Gradient(method=method))


def _differences(text: str, values: Mapping[str, float]) -> TaskSpec:
    """A sweep with each input moved up and down."""
    moved: dict[str, list[float]] = {name: [] for name in values}
    for shifted in values:
        for step in (_STEP, -_STEP):
            for name, value in values.items():
                moved[name].append(value + step * (name == shifted))
    return _spec(text, moved)


def _by_turns(executor: Executor, specs: Sequence[TaskSpec], rounds: int) -> list[float]:
    runs = [_run(executor, spec) for spec in specs]
    for run in runs[:2]:
        run()
    times = [[_seconds(run) for run in runs] for _ in range(rounds)]
    return [median(column) for column in zip(*times, strict=True)]


def _run(executor: Executor, spec: TaskSpec) -> Callable[[], None]:
    def run() -> None:
        outcome = executor.respond(Request(spec)).outcome
        assert isinstance(outcome, RunResult), outcome

    return run


def _seconds(run: Callable[[], None]) -> float:
    started = time.process_time()
    run()
    return time.process_time() - started


if __name__ == "__main__":
    main()
