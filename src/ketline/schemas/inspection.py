"""What goes over HTTP about programs that are not run, about the backend, and about workers."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from ketline.domain.inspection import Severity
from ketline.domain.spec import Method
from ketline.schemas.tasks import Timestamp

_TASK_ID = "109d6b6d-5fe8-4a87-be4c-b22abc0dbd5f"


class DiagnosticView(BaseModel):
    """One remark on a program; line and column count from 1 and point into the submitted text."""

    severity: Severity
    code: str = Field(
        examples=["parse_error"],
        description="As of a failed task; warnings have codes of their own: `unused_qubits`, `may_time_out`, and those "
        "of a task's `profile.warnings`",
    )
    message: str = Field(examples=["gate 'foo' is not defined"])
    line: int | None = Field(default=None, examples=[3])
    column: int | None = Field(default=None, examples=[1])


class ValidationView(BaseModel):
    """What is known of a program without running it; fields without a value are left out.

    From `tier` on the fields are there where the program could be read, `method` and what follows where it can be
    simulated. What is estimated is named so.
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

    valid: bool = Field(description="Whether there is no error among the diagnostics: a task of it would be run")
    diagnostics: list[DiagnosticView]
    tier: str | None = Field(
        default=None, description="What read the program: scanner, importer, unroller, openqasm2 or qpy"
    )
    qubits: int | None = Field(default=None, description="Qubits that would be simulated")
    depth: int | None = None
    operations: dict[str, int] | None = Field(default=None, description="Operations by name, as simulated")
    method: Method | None = Field(default=None, description="Simulation method that would be used")
    method_reason: str | None = Field(default=None, description="Why this method")
    memory_bytes: int | None = Field(default=None, description="What the simulated state takes at most")
    estimated_seconds: float | None = Field(
        default=None, description="Estimate of reading and simulating it on one core; absent where there is no model"
    )


class MethodView(BaseModel):
    """A value for a task's `method`."""

    name: Method
    description: str = Field(examples=["Every amplitude: any program, 16 bytes x 2^n for n qubits"])


class LimitsView(BaseModel):
    """What one task may ask for; beyond it submissions are refused, or tasks fail as `too_large` or `timeout`."""

    max_qubits: int = Field(examples=[4096])
    max_operations: int = Field(examples=[250_000], description="After loops are unrolled and gates inlined")
    max_shots: int = Field(examples=[100_000])
    max_program_bytes: int = Field(examples=[1_048_576])
    max_result_megabytes: int = Field(examples=[16])
    memory_megabytes: int = Field(examples=[5600], description="For the simulated state, in a worker like this process")
    default_timeout_s: float = Field(examples=[90.0], description="For tasks without a `timeout_s`")
    max_timeout_s: float = Field(examples=[3600.0])


class BackendView(BaseModel):
    """What programs are run on."""

    name: str = Field(examples=["ketline-aer"])
    description: str = Field(examples=["Ideal simulation on Qiskit Aer and stim"])
    methods: list[MethodView]
    limits: LimitsView
    gates: list[str] = Field(
        examples=[["cx", "h", "rz"]],
        description='Gates that need no definition; all but U and gphase need include "stdgates.inc"',
    )
    openqasm_versions: list[str] = Field(examples=[["3.0", "3.1"]])
    versions: dict[str, str] = Field(examples=[{"ketline": "0.1.0", "qiskit": "2.6.2"}], description="Of this process")


class BackendsView(BaseModel):
    """All backends of this service."""

    backends: list[BackendView]


class CurrentTaskView(BaseModel):
    """A task in a worker's hands."""

    task_id: UUID = Field(examples=[_TASK_ID])
    attempt: int = Field(examples=[1])
    since: Timestamp
    running_seconds: float = Field(examples=[2.31])
    lease_expires_at: Timestamp
    lease_seconds_left: float = Field(examples=[11.2], description="Below 0 where the lease has run out")


class WorkerView(BaseModel):
    """A worker that was heard of lately."""

    worker_id: str = Field(examples=["worker-1"])
    slots: int = Field(examples=[2], description="Programs it runs at once")
    version: str = Field(examples=["0.1.0"])
    started_at: Timestamp
    last_seen_at: Timestamp
    ready_slots: int | None = Field(default=None, examples=[2], description="Slots that have a simulator, where known")
    problem: str | None = Field(default=None, description="Why another slot has no simulator")
    tasks: list[CurrentTaskView] = Field(description="The longest held first")


class WorkersView(BaseModel):
    """The workers that live, by their ids."""

    workers: list[WorkerView]


class CircuitQuery(BaseModel):
    """How a task's circuit is asked for."""

    model_config = ConfigDict(extra="forbid")

    format: Annotated[
        Literal["source", "text", "svg", "flat"],
        Field(
            description="`source`: as submitted; `text` and `svg`: drawings; `flat`: OpenQASM 3 with loops unrolled "
            "and gates inlined"
        ),
    ] = "source"
    point: Annotated[
        int | None,
        Field(ge=0, description="Point of a sweep, from 0, whose circuit is drawn; the first where it is left out"),
    ] = None
