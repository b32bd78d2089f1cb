"""The shapes of validations, drawings, backends and workers over HTTP."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from ketline.domain.circuits.method import Method
from ketline.domain.circuits.program_format import ProgramFormat
from ketline.domain.tasks.inspection import Severity
from ketline.schemas.administration import PauseView
from ketline.schemas.device_runs import PlacementView
from ketline.schemas.types import Timestamp

_TASK_ID = "109d6b6d-5fe8-4a87-be4c-b22abc0dbd5f"


class DiagnosticView(BaseModel):
    """An error or a warning about a program; line and column count from 1 and point into the submitted text."""

    severity: Severity
    code: str = Field(
        examples=["parse_error"],
        description="The code of a failed task, or that of a warning: `unused_qubits`, `may_time_out`, and those "
        "of a task's `profile.warnings`",
    )
    message: str = Field(examples=["gate 'foo' is not defined"])
    line: int | None = Field(default=None, examples=[3])
    column: int | None = Field(default=None, examples=[1])


class ValidationView(BaseModel):
    """The result of a validation; fields without a value are left out.

    `tier`, `qubits`, `depth` and `operations` are present if the program could be read, `method` and the fields after
    it if it can be simulated.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "valid": True,
                    "diagnostics": [],
                    "tier": "scanner",
                    "qubits": 2,
                    "depth": 3,
                    "operations": {"h": 1, "cx": 1, "measure": 2},
                    "method": "statevector",
                    "method_reason": "few qubits, measured at the end: exact probabilities",
                    "memory_bytes": 64,
                    "estimated_seconds": 0.0021,
                },
                {
                    "valid": False,
                    "diagnostics": [
                        {
                            "severity": "error",
                            "code": "parse_error",
                            "message": "gate 'foo' is not defined",
                            "line": 3,
                            "column": 1,
                        }
                    ],
                },
            ]
        }
    )

    valid: bool = Field(description="Whether a task of it could run: no diagnostic is an error")
    diagnostics: list[DiagnosticView]
    tier: str | None = Field(
        default=None, description="The front end that read the program: scanner, importer, unroller, openqasm2 or qpy"
    )
    qubits: int | None = Field(default=None, description="Qubits that would be simulated")
    depth: int | None = None
    operations: dict[str, int] | None = Field(default=None, description="Operations by name, as simulated")
    method: Method | None = Field(default=None, description="Simulation method that would be used")
    method_reason: str | None = Field(default=None, description="Why this method")
    memory_bytes: int | None = Field(default=None, description="Most memory of the simulated state")
    estimated_seconds: float | None = Field(
        default=None, description="Estimated time to read and simulate it on one core; absent if there is no estimate"
    )
    placement: PlacementView | None = Field(default=None, description="Of a program for a device")


class MethodView(BaseModel):
    """A value for a task's `method`."""

    name: Method
    description: str = Field(examples=["Every amplitude: any program, 16 bytes x 2^n for n qubits"])


class LimitsView(BaseModel):
    """Limits of one task; beyond them submissions are rejected, or tasks fail as `too_large` or `timeout`."""

    max_qubits: int = Field(examples=[4096])
    max_operations: int = Field(examples=[250_000], description="After loops are unrolled and gates inlined")
    max_shots: int = Field(examples=[100_000])
    max_program_bytes: int = Field(examples=[1_048_576])
    max_result_megabytes: int = Field(examples=[16])
    memory_megabytes: int = Field(examples=[5600], description="For the simulated state, in a worker like this process")
    default_timeout_s: float = Field(examples=[90.0], description="For tasks without a `timeout_s`")
    max_timeout_s: float = Field(examples=[3600.0])


class BackendView(BaseModel):
    """The simulators of this service: methods, gates and limits."""

    name: str = Field(examples=["ketline-aer"])
    description: str = Field(examples=["Simulation on Qiskit Aer, stim and PennyLane Lightning, ideal or with noise"])
    methods: list[MethodView]
    limits: LimitsView
    gates: list[str] = Field(
        examples=[["cx", "h", "rz"]],
        description='Gates that need no definition; all but U and gphase need include "stdgates.inc"',
    )
    openqasm_versions: list[str] = Field(examples=[["3.0", "3.1"]])
    versions: dict[str, str] = Field(examples=[{"ketline": "0.1.0", "qiskit": "2.6.2"}], description="Of this process")


class ExternalBackendView(BaseModel):
    """A backend that is not of this service; tasks of kind `run` run on it."""

    name: str = Field(examples=["braket-local"])
    description: str = Field(examples=["Amazon Braket's simulator on the worker's machine"])
    queue: str = Field(examples=["run.braket-local"], description="The queue that its tasks travel on")
    online: bool
    offline_reason: str | None = None
    simulator: bool = Field(description="Whether it is a simulator")
    noisy: bool = Field(description="Whether results have noise")
    dynamic: bool = Field(description="Whether it measures in mid-circuit and branches on results")
    num_qubits: int | None = Field(default=None, examples=[5])
    max_shots: int | None = Field(default=None, examples=[100_000])
    formats: list[ProgramFormat] = Field(description="Formats of the programs that it is sent")
    gates: list[str] = Field(examples=[["cx", "rz", "sx"]], description="Its native gates; others are translated")
    coupling: list[list[int]] | None = Field(
        default=None, description="Pairs of qubits that a two-qubit gate may act on; absent if all"
    )
    pending_jobs: int | None = Field(default=None, description="Length of the backend's own queue, if known")


class BackendsView(BaseModel):
    """All backends of this service: its own simulators, and the external ones that its workers have."""

    backends: list[BackendView]
    external: list[ExternalBackendView] = []


class CurrentTaskView(BaseModel):
    """A task that a worker runs now."""

    task_id: UUID = Field(examples=[_TASK_ID])
    attempt: int = Field(examples=[1])
    since: Timestamp
    running_seconds: float = Field(examples=[2.31])
    lease_expires_at: Timestamp
    lease_seconds_left: float = Field(examples=[11.2], description="Negative if the lease has expired")


class WorkerView(BaseModel):
    """A live worker."""

    worker_id: str = Field(examples=["worker-1"])
    slots: int = Field(examples=[2], description="Programs it runs at once")
    version: str = Field(examples=["0.1.0"])
    started_at: Timestamp
    last_seen_at: Timestamp
    conversion_slots: int = Field(default=0, examples=[1], description="Conversions that it runs at once")
    queues: list[str] | None = Field(
        default=None, examples=[["simulate", "convert"]], description="The queues that it consumes, if known"
    )
    ready_slots: int | None = Field(default=None, examples=[2], description="Slots that have a simulator, if known")
    problem: str | None = Field(default=None, description="Why another slot has no simulator")
    draining_since: Timestamp | None = Field(
        default=None, description="Since when it claims no tasks, if it is drained"
    )
    drained_at: Timestamp | None = Field(default=None, description="Since when it has held no task, if it is drained")
    tasks: list[CurrentTaskView] = Field(description="Sorted by the time since they were claimed, longest first")


class WorkersView(BaseModel):
    """The live workers, sorted by id."""

    workers: list[WorkerView]
    pauses: list[PauseView] | None = Field(
        default=None, description="Queues of which none of them claims tasks; left out where nothing is paused"
    )


class CircuitQuery(BaseModel):
    """The query parameters of a task's circuit."""

    model_config = ConfigDict(extra="forbid")

    format: Annotated[
        Literal["source", "text", "svg", "flat"],
        Field(
            description="`source`: as submitted; `text` and `svg`: drawings; `flat`: OpenQASM 3 with loops unrolled "
            "and gates inlined"
        ),
    ] = "source"
    stage: Annotated[
        Literal["submitted", "transpiled"],
        Field(
            description="`transpiled`: the circuit that runs on the task's device, as `flat` where no format is given"
        ),
    ] = "submitted"
    point: Annotated[
        int | None,
        Field(ge=0, description="Point of a sweep whose circuit is drawn, counted from 0; default: the first"),
    ] = None
