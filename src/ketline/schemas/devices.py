"""The shapes of devices over HTTP: for documents, because `domain.device` reads and checks a device itself."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from ketline.domain.devices.device import DEVICE_NAME, DEVICE_OPERATIONS
from ketline.domain.devices.device_fields import MAX_NS, MAX_US, MIN_TIME
from ketline.domain.limits import (
    MAX_DEVICE_DESCRIPTION_CHARACTERS,
    MAX_DEVICE_GATES,
    MAX_DEVICE_NAME_CHARACTERS,
    MAX_DEVICE_QUBITS,
)
from ketline.schemas.types import Timestamp

_SHAPE = ConfigDict(extra="forbid", strict=True)
_Microseconds = Annotated[float | None, Field(ge=MIN_TIME, le=MAX_US)]
_Nanoseconds = Annotated[float | None, Field(ge=0, le=MAX_NS)]
_Probability = Annotated[float | None, Field(ge=0, le=1)]
_Qubit = Annotated[int, Field(ge=0, lt=MAX_DEVICE_QUBITS)]


class DeviceQubitShape(BaseModel):
    """A qubit of a device; what is not known is left out."""

    model_config = _SHAPE

    t1_us: _Microseconds = Field(default=None, examples=[120.0])
    t2_us: _Microseconds = Field(default=None, examples=[90.0], description="At most twice `t1_us`")
    p01: _Probability = Field(default=None, examples=[0.01], description="That a qubit which is 0 reads 1")
    p10: _Probability = Field(default=None, examples=[0.02], description="That a qubit which is 1 reads 0")
    readout_ns: _Nanoseconds = Field(default=None, examples=[1200.0])


class DeviceGateShape(BaseModel):
    """A gate of a device on certain qubits."""

    model_config = _SHAPE

    name: Annotated[str, Field(examples=["cz"], json_schema_extra={"enum": list(DEVICE_OPERATIONS)})]
    qubits: Annotated[
        list[_Qubit], Field(min_length=1, max_length=2, examples=[[0, 1]], description="In the order of its operands")
    ]
    error: _Probability = Field(default=None, examples=[0.004], description="One minus the average fidelity")
    duration_ns: _Nanoseconds = Field(default=None, examples=[68.0])


class DeviceDocument(BaseModel):
    """A device: its qubits, and its gates with errors and durations."""

    model_config = _SHAPE

    name: str | None = Field(
        default=None,
        max_length=MAX_DEVICE_NAME_CHARACTERS,
        examples=["my-device"],
        json_schema_extra={"pattern": f"^{DEVICE_NAME.pattern}$"},
        description="That of the path, if it is given",
    )
    description: str | None = Field(default=None, max_length=MAX_DEVICE_DESCRIPTION_CHARACTERS)
    dt_ns: Annotated[float | None, Field(ge=MIN_TIME, le=MAX_NS)] = Field(
        default=None, description="The unit of its durations"
    )
    qubits: Annotated[list[DeviceQubitShape], Field(min_length=1, max_length=MAX_DEVICE_QUBITS)]
    gates: Annotated[list[DeviceGateShape], Field(max_length=MAX_DEVICE_GATES)] = []


class DeviceView(BaseModel):
    """A device without its qubits and gates; fields without a value are left out."""

    name: str = Field(examples=["my-device"])
    description: str
    num_qubits: int = Field(examples=[27])
    couplings: int = Field(examples=[28], description="The number of pairs of qubits that have a gate")
    gates: list[str] = Field(examples=[["cz", "rz", "sx", "x"]], description="The names of its gates")
    digest: str = Field(description="The SHA-256 digest of its content")
    shipped: bool = Field(description="Whether every project has it, and none can replace it")
    owner: str | None = Field(default=None, examples=["ada"], description="The owner of the key that stored it")
    created_at: Timestamp | None = Field(default=None, description="When a device of this name was first stored")
    updated_at: Timestamp | None = Field(default=None, description="When its content was stored")


class DeviceList(BaseModel):
    """Those that are shipped, and those of the project, sorted by name."""

    devices: list[DeviceView]
