"""A task's noise as one model, and the models that a simulator keeps."""

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, reduce
from hashlib import sha256
from typing import Any, Protocol

from ketline.domain.devices.device import Device
from ketline.domain.devices.noise_layers import Noise, NoiseLayer
from ketline.domain.devices.stored_noise import StoredNoise
from ketline.domain.errors import NoiseInvalid
from ketline.domain.limits import MAX_NOISE_MODELS
from ketline.execution.simulators.channels.aer_format import layer_of
from ketline.execution.simulators.channels.channel import Channel
from ketline.execution.simulators.channels.device import DeviceErrors
from ketline.execution.simulators.channels.layer import Layer, Misreading, Operands
from ketline.execution.simulators.channels.named import NAMED

_KEPT_MODELS = 8
# The most channels that a model caches: each is composed of the errors of several layers.
_KEPT_CHANNELS = 4096


class Errors(Protocol):
    """Errors of operations and of readout: a `Layer`, or `DeviceErrors`."""

    def channel(self, name: str, qubits: Operands) -> Channel | None:
        """The error of an operation on these qubits, in order."""
        ...

    def misreading(self, qubit: int) -> Misreading | None:
        """How a measurement of a qubit is misread."""
        ...

    def has_errors_on(self, name: str) -> bool:
        """Whether an operation of this name has an error on some qubits."""
        ...


class NoiseModel:
    """The errors of gates and of readout, of all layers in order. Compared by identity.

    With `has_delays` a circuit's delays, identity gates with the labels of `circuit/idling.py`, have errors by their
    labels; else all identity gates have the same.
    """

    def __init__(self, layers: Sequence[Errors], *, has_delays: bool = False) -> None:
        self._layers = layers
        self.has_delays = has_delays
        self._composed = lru_cache(_KEPT_CHANNELS)(_composed)

    def channel(self, name: str, qubits: Operands) -> Channel | None:
        """The error of an operation on these qubits; the same object wherever it is the same.

        Raises:
            NoiseInvalid: it acts on another number of qubits: `unitary` can be of one and of two.
        """
        found = tuple(layer.channel(name, qubits) for layer in self._layers)
        channels = tuple(channel for channel in found if channel is not None)
        other = next((channel.qubits for channel in channels if channel.qubits != len(qubits)), None)
        if other is not None:
            raise NoiseInvalid(
                f"an error of {name!r} acts on {other} qubits, and this program has {name!r} on {len(qubits)}: "
                "name the qubits to which the error belongs"
            )
        return self._composed(channels) if channels else None

    def misreading(self, qubit: int) -> Misreading | None:
        """How a measurement of a qubit is misread."""
        found = [layer.misreading(qubit) for layer in self._layers]
        readings = [reading for reading in found if reading is not None and max(reading) > 0]
        return reduce(Misreading.then, readings) if readings else None

    def has_errors_on(self, name: str) -> bool:
        """Whether an operation of this name has an error on some qubits."""
        return any(layer.has_errors_on(name) for layer in self._layers)


class NoiseModels:
    """The models that were used last, by project and digest: checking one of a hundred qubits takes a second."""

    def __init__(self) -> None:
        self._models: OrderedDict[tuple[str, bytes], NoiseModel] = OrderedDict()

    def get(self, noise: Noise, project: str = "") -> NoiseModel:
        """The model of a task's noise, checked and built unless it is cached for the task's project.

        Raises:
            NoiseInvalid: the noise is not a model, or the model is not physical.
        """
        if isinstance(noise, StoredNoise):
            # Its text is read only when its model is built.
            return self._kept((project, bytes.fromhex(noise.digest)), lambda: model_of(noise.model()))
        digest = sha256(json.dumps(noise, sort_keys=True).encode()).digest()
        return self._kept((project, digest), lambda: model_of(noise))

    def of_device(self, device: Device, project: str = "") -> NoiseModel:
        """The model of the errors of a device, kept likewise."""
        key = project, bytes.fromhex(device.digest)
        return self._kept(key, lambda: NoiseModel([DeviceErrors(device)], has_delays=True))

    def _kept(self, key: tuple[str, bytes], make: Callable[[], NoiseModel]) -> NoiseModel:
        model = self._models.get(key)
        if model is None:
            model = make()
            self._models[key] = model
            if len(self._models) > _KEPT_MODELS:
                self._models.popitem(last=False)
        else:
            self._models.move_to_end(key)
        return model


def model_of(noise: NoiseLayer | Sequence[NoiseLayer]) -> NoiseModel:
    """Build a model.

    Raises:
        NoiseInvalid: the noise is not a model, or the model is not physical.
    """
    models = [noise] if isinstance(noise, Mapping) else noise
    if not 0 < len(models) <= MAX_NOISE_MODELS:
        raise NoiseInvalid(f"noise combines 1 to {MAX_NOISE_MODELS} models, not {len(models)}")
    return NoiseModel([_layer(model) for model in models])


def _layer(model: Mapping[str, Any]) -> Layer:
    try:
        if "model" in model:
            return layer_of(model["model"])
        parameters = {name: float(value) for name, value in model.items() if name != "name"}
        layer: Layer = NAMED[model["name"]](**parameters)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, ZeroDivisionError) as error:
        raise NoiseInvalid("the noise is not a model that this service knows") from error
    return layer


def _composed(channels: tuple[Channel, ...]) -> Channel:
    return reduce(Channel.then, channels)
