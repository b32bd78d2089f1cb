"""The type of a request's `device`: the name of a device, or an object with that and how to transpile for it."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, field_validator
from pydantic_core import PydanticCustomError

from ketline.domain.devices.device import DEVICE_NAME
from ketline.domain.devices.device_run import DEFAULT_LEVEL, LEVELS, MAX_TRANSPILER_SEED, DeviceRun
from ketline.domain.limits import MAX_DEVICE_QUBITS

_Name = Annotated[str, Field(pattern=f"^{DEVICE_NAME.pattern}$")]
_Layout = Annotated[list[Annotated[int, Field(ge=0, lt=MAX_DEVICE_QUBITS)]], Field(min_length=1)]


class DeviceRequest(BaseModel):
    """A device, and how the program is transpiled for it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: _Name
    optimization_level: Annotated[int, Field(ge=LEVELS[0], le=LEVELS[-1])] = DEFAULT_LEVEL
    seed: Annotated[int | None, Field(ge=0, le=MAX_TRANSPILER_SEED)] = None
    initial_layout: _Layout | None = None
    noise: bool = True

    @field_validator("initial_layout")
    @classmethod
    def _require_different_qubits(cls, layout: list[int] | None) -> list[int] | None:
        first: dict[int, int] = {}
        for entry, qubit in enumerate(layout or ()):
            if qubit in first:
                text = "must have different qubits, and entries {first} and {entry} are both {qubit}"
                raise PydanticCustomError("layout", text, {"first": first[qubit], "entry": entry, "qubit": qubit})
            first[qubit] = entry
        return layout

    def as_run(self) -> DeviceRun:
        """The value for the domain."""
        return DeviceRun(
            name=self.name,
            optimization_level=self.optimization_level,
            seed=self.seed,
            initial_layout=None if self.initial_layout is None else tuple(self.initial_layout),
            noise=self.noise,
        )


def _as_object(value: object) -> object:
    if isinstance(value, (str, dict, DeviceRequest)):
        return {"name": value} if isinstance(value, str) else value
    raise PydanticCustomError("device", "must be the name of a device, or a JSON object that has it as its name")


DeviceOrName = Annotated[
    DeviceRequest,
    BeforeValidator(_as_object),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": f"^{DEVICE_NAME.pattern}$"},
                {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["name"],
                    "properties": {
                        "name": {"type": "string", "pattern": f"^{DEVICE_NAME.pattern}$"},
                        "optimization_level": {
                            "type": "integer",
                            "minimum": LEVELS[0],
                            "maximum": LEVELS[-1],
                            "default": DEFAULT_LEVEL,
                            "description": "Of Qiskit's transpiler",
                        },
                        "seed": {
                            "anyOf": [
                                {"type": "integer", "minimum": 0, "maximum": MAX_TRANSPILER_SEED},
                                {"type": "null"},
                            ],
                            "description": "Of the transpiler; default: 0",
                        },
                        "initial_layout": {
                            "anyOf": [
                                {
                                    "type": "array",
                                    "items": {"type": "integer", "minimum": 0, "maximum": MAX_DEVICE_QUBITS - 1},
                                    "minItems": 1,
                                },
                                {"type": "null"},
                            ],
                            "description": "The device's qubit for each of the program's; default: chosen",
                        },
                        "noise": {"type": "boolean", "default": True, "description": "Whether with its errors"},
                    },
                },
            ]
        }
    ),
]


class PlacementView(BaseModel):
    """Where the program was placed on its device, and what its circuit became there."""

    device: str = Field(examples=["line-27"])
    digest: str = Field(description="SHA-256 digest of what the device was when the task was submitted")
    optimization_level: int = Field(examples=[1])
    layout: list[int] = Field(examples=[[3, 4]], description="The device's qubit of each of the program's, at first")
    final_layout: list[int] = Field(examples=[[4, 3]], description="The same at the end: routing moves qubits")
    depth: int = Field(examples=[12], description="Of the transpiled circuit")
    two_qubit_gates: int = Field(examples=[3], description="Of the transpiled circuit")
