"""The device: runs circuits of PennyLane on a service."""

from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from pennylane.devices import Device, ExecutionConfig
from pennylane.devices.modifiers import simulator_tracking, single_tape_support
from pennylane.exceptions import DeviceError, TransformError, WireError

from ketline.client import CircuitNotConvertible, Client, RequestRefused, TaskFailed
from ketline.client.task_limits import TaskLimits, limits_of
from ketline.domain.tasks.seeds import derived_seed
from ketline.pennylane.exact import ExactCircuit
from ketline.pennylane.gradients import differentiable, trained_of
from ketline.pennylane.points import Point, points_of
from ketline.pennylane.preprocessing import DEFERRED, pipeline_of
from ketline.pennylane.requests import Request, tasks_of
from ketline.pennylane.sampled import SampledCircuit

# How measurements inside a circuit are simulated: by the service, shot by shot; or deferred to its end.
_WITH_SHOTS = ("device", "one-shot", DEFERRED)
_EXACTLY = (DEFERRED,)
# Which of PennyLane's methods mean that the service computes derivatives, and its simulation methods that can.
_DEVICE = "device"
_GRADIENTS = (_DEVICE, "best", "adjoint")
_METHODS_WITH_GRADIENTS = (None, "automatic", "statevector")
TAG = "pennylane"


@simulator_tracking
@single_tape_support
class KetlineDevice(Device):  # type: ignore[misc]
    """The device `ketline.simulator`: `qml.device("ketline.simulator", wires=2, url="http://…")`.

    Without a `url` it is the service at `KETLINE_URL`. With a `seed`, results with shots are reproducible. `noise` is
    that of the client's programs, and so are `method`, `time_limit_seconds`, `priority`, `tags` and `task_name`.
    Results are waited for at most `timeout_seconds`, without it as long as they take.

    Raises:
        AddressInvalid: `url` is not an HTTP URL.
    """

    def __init__(
        self,
        wires: Any = None,
        shots: Any = None,
        *,
        url: str | None = None,
        api_key: str | None = None,
        client: Client | None = None,
        seed: int | None = None,
        method: str | None = None,
        noise: Any = None,
        time_limit_seconds: float | None = None,
        priority: int | None = None,
        task_name: str | None = None,
        tags: Sequence[str] = (),
        timeout_seconds: float | None = None,
    ) -> None:
        super().__init__(wires=wires, shots=shots)
        self.client = client or Client(url, api_key=api_key)
        self._seed = seed
        self._runs = 0
        self._timeout_seconds = timeout_seconds
        self._limits: TaskLimits | None = None
        self._options: Mapping[str, Any] = {
            "method": method,
            "noise": noise,
            "time_limit_seconds": time_limit_seconds,
            "priority": priority,
            "name": task_name,
            "tags": list(dict.fromkeys((TAG, *tags))),
        }

    @property
    def name(self) -> str:
        """The name by which PennyLane finds the device."""
        return "ketline.simulator"

    def setup_execution_config(self, config: Any = None, circuit: Any = None) -> Any:
        """The configuration with the way in which measurements inside circuits are simulated.

        Raises:
            DeviceError: a choice of the configuration is not supported.
        """
        config = config or ExecutionConfig()
        if unknown := sorted(config.device_options):
            raise DeviceError(f"device option {unknown[0]} not present on {self}")
        shots = bool(circuit is not None and circuit.shots)
        supported = _WITH_SHOTS if shots else _EXACTLY
        mcm = config.mcm_config
        method = mcm.mcm_method or supported[0]
        if method not in supported:
            raise DeviceError(f"mcm_method {method} not supported on {self.name}. Supported methods are {supported}")
        if mcm.postselect_mode == "fill-shots":
            raise DeviceError(f"postselect_mode='fill-shots' is not supported on {self.name}.")
        config = replace(config, mcm_config=replace(mcm, mcm_method=method))
        if config.gradient_method not in _GRADIENTS or not self.supports_derivatives(config, circuit):
            return config
        at_once = True if config.grad_on_execution is None else config.grad_on_execution
        return replace(config, gradient_method=_DEVICE, use_device_gradient=True, grad_on_execution=at_once)

    def supports_derivatives(self, execution_config: Any = None, circuit: Any = None) -> bool:
        """Whether the service computes derivatives of a circuit: first ones, of expectation values without shots."""
        config = execution_config or ExecutionConfig(gradient_method=_DEVICE)
        if config.gradient_method not in _GRADIENTS or config.derivative_order != 1:
            return False
        if self._options["noise"] is not None or self._options["method"] not in _METHODS_WITH_GRADIENTS:
            return False
        if circuit is None:
            return True
        try:
            prepared, _ = pipeline_of(self.name, self.wires, DEFERRED)((circuit,))
        except (DeviceError, WireError, TransformError, ValueError):
            return False  # which is told when the circuit is executed
        return all(map(differentiable, prepared))

    def preprocess_transforms(self, execution_config: Any = None) -> Any:
        """The transforms that prepare circuits for `execute`; they raise PennyLane's errors for what it cannot run."""
        config = execution_config or ExecutionConfig()
        return pipeline_of(self.name, self.wires, config.mcm_config.mcm_method)

    def execute(self, circuits: Sequence[Any], execution_config: Any = None) -> Any:
        """Run circuits in as few tasks as possible, all submitted in one batch.

        Raises:
            DeviceError: the service rejected a circuit, or could not run it; the message says why.
            ClientError: the service cannot be reached, or the tasks have not ended in time.
        """
        config = execution_config or ExecutionConfig()
        seed = None if self._seed is None else derived_seed(self._seed, "execution", self._runs)
        self._runs += 1
        random = np.random.default_rng(seed)
        with _device_errors():
            planned = [self._planned(circuit, random, config.mcm_config.postselect_mode) for circuit in circuits]
            points = iter(self._run([request for each in planned for request in each.requests], seed))
        return tuple(each.result([next(points) for _ in each.requests]) for each in planned)

    def compute_derivatives(self, circuits: Sequence[Any], execution_config: Any = None) -> Any:
        """The derivatives of expectation values by all trainable parameters; raises as `execute` does."""
        return self.execute_and_compute_derivatives(circuits, execution_config)[1]

    def execute_and_compute_derivatives(self, circuits: Sequence[Any], execution_config: Any = None) -> Any:
        """The results and the derivatives of circuits, from the same tasks; raises as `execute` does."""
        with _device_errors():
            planned = [ExactCircuit(each, self._wires_of(each), trained_of(each)) for each in circuits]
            points = iter(self._run([request for each in planned for request in each.requests], None))
        own = [[next(points) for _ in each.requests] for each in planned]
        results = tuple(each.result(some) for each, some in zip(planned, own, strict=True))
        return results, tuple(each.jacobian(some) for each, some in zip(planned, own, strict=True))

    def _planned(self, circuit: Any, random: np.random.Generator, postselect_mode: Any) -> Any:
        wires = self._wires_of(circuit)
        if not circuit.shots:
            return ExactCircuit(circuit, wires, mixed=self._options["noise"] is not None)
        return SampledCircuit(
            circuit, wires, most_shots=self._task_limits().shots, random=random, postselect_mode=postselect_mode
        )

    def _wires_of(self, circuit: Any) -> Sequence[Any]:
        """The wires of a circuit in the order of the device; at least one, because a program has a qubit."""
        own = circuit.wires
        if self.wires is None:
            return list(own) or [0]
        return [*(wire for wire in self.wires if wire in own), *(own - self.wires)] or list(self.wires[:1])

    def _task_limits(self) -> TaskLimits:
        if self._limits is None:
            self._limits = limits_of(self.client.backends()[0])
        return self._limits

    def _run(self, requests: Sequence[Request], seed: int | None) -> list[Point]:
        """The points that the service computes for each request."""
        if not requests:
            return []
        tasks = tasks_of(requests, self._task_limits())
        items = [
            {
                **self._options,
                **task.options,
                "program": task.program,
                "seed": None if seed is None else derived_seed(seed, "task", number),
            }
            for number, task in enumerate(tasks)
        ]
        handles = self.client.submit_batch(items) if len(items) > 1 else [self.client.submit(**items[0])]
        self.client.wait_for_all(handles, timeout_seconds=self._timeout_seconds)
        found: dict[int, Point] = {}
        for task, handle in zip(tasks, handles, strict=True):
            points = points_of(handle.result(), len(task.members), task.places)
            found.update(zip(task.members, points, strict=True))
        return [found[number] for number in range(len(requests))]


@contextmanager
def _device_errors() -> Any:
    """Errors of circuits as PennyLane's devices raise them."""
    try:
        yield
    except (CircuitNotConvertible, RequestRefused, TaskFailed) as error:
        raise DeviceError(f"{error} ({error.code})") from error
