"""The requests that docs/api.md shows, in order, and the text between them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

BELL = 'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[2] c; h q[0]; cx q[0], q[1]; c = measure q;'
BELL_2 = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; creg c[2]; h q[0]; cx q[0],q[1]; measure q -> c;'
PAIR = 'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; h q[0]; cx q[0], q[1];'
TURNED = 'OPENQASM 3.0; include "stdgates.inc"; input float theta; qubit q; ry(2 * theta + 0.1) q;'
ROTATION = 'OPENQASM 3.0; include "stdgates.inc"; input float theta; qubit q; bit c; ry(theta) q; c = measure q;'
WRONG = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit q;\nfoo q;\n'
# Never ends by itself: it waits for a 1 that cannot come.
ENDLESS = "OPENQASM 3.0; qubit q; bit c; c = measure q; while (!c) { reset q; c = measure q; }"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request of the page. `{name}` in path and headers stands for a value that an earlier call stored.

    `keep` maps such names to functions that find the values in the response. A call without a `text` is made, but
    not shown.
    """

    text: str = ""
    method: str = "GET"
    path: str
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)
    keep: Mapping[str, Callable[[Any], str]] = field(default_factory=dict)
    status: int = 200
    show_headers: tuple[str, ...] = ()


def task_id(answer: Any) -> str:
    return str(answer["task_id"])


def key_id(answer: Any) -> str:
    return str(answer["key_id"])


def worker_id(answer: Any) -> str:
    return str(answer["workers"][0]["worker_id"])


HEAD = """# The API, call by call

Every call of Ketline's REST interface, with the response of a service. `python -m tests.pages.api` generates this page
from a fresh `ketline up`; a test makes the same calls. `/docs` of a running service describes every field,
[errors.md](errors.md) every error code.
"""

CALLS: Sequence[str | Call] = (
    "## Submit",
    Call(
        text="A program and its number of shots. The response is sent when the task is stored.",
        method="POST",
        path="/tasks",
        body={"qc": BELL, "shots": 1000, "seed": 7, "name": "bell", "tags": ["demo"]},
        status=202,
        keep={"bell": task_id},
        show_headers=("location",),
    ),
    Call(
        text="With `Prefer: wait` the response is the finished task, if it ends in time.",
        method="POST",
        path="/tasks",
        body={"qc": ROTATION, "shots": 6, "seed": 1, "inputs": {"theta": 1.5}, "memory": True},
        headers={"Prefer": "wait=30"},
        keep={"rotation": task_id},
    ),
    Call(
        text="Lists of inputs make a sweep: one task, whose result is an array of counts.",
        method="POST",
        path="/tasks",
        body={"qc": ROTATION, "shots": 100, "seed": 1, "inputs": {"theta": [0.5, 1.5, 2.5]}},
        headers={"Prefer": "wait=30"},
        keep={"sweep": task_id},
    ),
    Call(
        text="With `kind` `convert` the program is converted: to flat OpenQASM 3, OpenQASM 2, QPY or QIR.",
        method="POST",
        path="/tasks",
        body={"qc": PAIR, "kind": "convert", "target": "openqasm3"},
        headers={"Prefer": "wait=30"},
        keep={"conversion": task_id},
    ),
    Call(text="The output alone, as a file.", path="/tasks/{conversion}/output"),
    Call(
        text="A task of higher priority runs first; a point counts as much as a minute of waiting.",
        method="POST",
        path="/tasks",
        body={"qc": BELL, "shots": 10, "priority": 50},
        headers={"Prefer": "wait=30"},
    ),
    Call(
        text="With `observables` the result is their expectation values, computed exactly; no bits are needed.",
        method="POST",
        path="/tasks",
        body={"qc": PAIR, "observables": [{"ZZ": 1.0}, {"XX": 0.5, "IZ": -2.0}]},
        headers={"Prefer": "wait=30"},
        keep={"values": task_id},
    ),
    Call(
        text="With `gradient` the result also has their derivatives by the inputs.",
        method="POST",
        path="/tasks",
        body={"qc": TURNED, "inputs": {"theta": 0.3}, "observables": [{"Z": 1.0}], "gradient": True},
        headers={"Prefer": "wait=30"},
    ),
    Call(
        text="With `noise` gates and measurements have errors: named models, a model of Aer's, or a list of these.",
        method="POST",
        path="/tasks",
        body={
            "qc": BELL,
            "shots": 1000,
            "seed": 7,
            "noise": [
                {"name": "thermal_relaxation", "t1_us": 100, "t2_us": 80, "one_qubit_ns": 35, "two_qubit_ns": 300},
                {"name": "readout", "p01": 0.01, "p10": 0.03},
            ],
        },
        headers={"Prefer": "wait=30"},
    ),
    Call(
        text="With `device` the program is transpiled for a device, and runs with its errors.",
        method="POST",
        path="/tasks",
        body={"qc": BELL, "shots": 1000, "seed": 7, "device": {"name": "line-27", "optimization_level": 2}},
        headers={"Prefer": "wait=30"},
        keep={"placed": task_id},
    ),
    Call(text="The circuit that ran; also as a drawing.", path="/tasks/{placed}/circuit?stage=transpiled"),
    Call(
        text="With `outputs` the result has values of the state in which the program ends.",
        method="POST",
        path="/tasks",
        body={"qc": PAIR, "outputs": ["statevector", {"type": "entropy", "qubits": [0], "name": "half"}]},
        headers={"Prefer": "wait=30"},
        keep={"state": task_id},
    ),
    Call(
        text="One of them alone; as `application/x-npy` it is an array for NumPy.", path="/tasks/{state}/outputs/half"
    ),
    Call(text="All of them; as `application/x-npz` they are an archive of such arrays.", path="/tasks/{state}/outputs"),
    Call(
        text="A repeated submission under one key is the same task; the response then has `Idempotent-Replayed: true`.",
        method="POST",
        path="/tasks",
        body={"qc": BELL, "shots": 10},
        headers={"Idempotency-Key": "run-42"},
        status=202,
        keep={"repeated": task_id},
    ),
    Call(method="GET", path="/tasks/{repeated}?wait=30"),
    Call(
        text="Up to 1,000 programs in one request; all of them are stored, or none.",
        method="POST",
        path="/tasks/batch",
        body={"tasks": [{"qc": BELL, "shots": 10, "tags": ["demo"]}, {"qc": WRONG, "tags": ["demo"]}]},
        status=202,
        keep={
            "first": lambda answer: str(answer["tasks"][0]["task_id"]),
            "wrong": lambda a: str(a["tasks"][1]["task_id"]),
        },
    ),
    Call(
        text="The tasks of a batch that have ended, in one response; with `Prefer: wait`, once all of them have.",
        method="POST",
        path="/tasks/ended",
        body={"task_ids": ["{first}", "{wrong}"]},
        headers={"Prefer": "wait=30"},
    ),
    Call(
        text="The body of clients of older services is translated into the same submission "
        "([compatibility.md](compatibility.md)).",
        method="POST",
        path="/tasks",
        body={
            "task_type": "simulate",
            "payload": {"circuit_type": "qasm", "circuit_data": BELL_2, "shots": 100},
            "max_retries": 2,
            "meta_data": {"experiment": 12},
        },
        status=202,
        keep={"typed": task_id},
    ),
    "## Read, wait, follow",
    Call(text="A task, once it has ended, or with its status after 30 s.", path="/tasks/{bell}?wait=30"),
    Call(text="A task with an invalid program fails, with the place of the mistake.", path="/tasks/{wrong}?wait=30"),
    Call(
        text="A task in the shape that clients of older services read.",
        path="/tasks/{typed}?wait=30&shape=plain",
    ),
    Call(text="A task without its result.", path="/tasks/{first}?wait=30&result=false"),
    Call(
        text="Each change as a server-sent event; `/tasks/events?tag=demo` has those of all tasks with a tag.",
        path="/tasks/{bell}/events",
    ),
    "## Results",
    Call(text="Only the counts.", path="/tasks/{bell}/counts"),
    Call(text="The most frequent outcome, in hexadecimal.", path="/tasks/{bell}/counts?top=1&format=hex"),
    Call(
        text="Counts as CSV; `application/x-npy` is a NumPy array.",
        path="/tasks/{bell}/counts",
        headers={"Accept": "text/csv"},
    ),
    Call(text="Every shot in order, for a task submitted with `memory`.", path="/tasks/{rotation}/memory"),
    Call(text="Counts of one register, by its name.", path="/tasks/{rotation}/counts?register=c"),
    Call(text="The counts of each point of a sweep; `?point=1` is one of them.", path="/tasks/{sweep}/counts"),
    Call(path="/tasks/{bell}/memory", text="A task submitted without `memory` has no shots.", status=409),
    Call(path="/tasks/{wrong}/counts", text="A task that failed has no counts.", status=409),
    "## Look at a program",
    Call(
        text="The size, method and estimated time of a program, without running it.",
        method="POST",
        path="/validate",
        body={"qc": BELL},
    ),
    Call(text="The mistakes of a program, with their places.", method="POST", path="/validate", body={"qc": WRONG}),
    Call(
        text="A task's circuit as text; `source`, `svg` and `flat` are the other formats.",
        path="/tasks/{bell}/circuit?format=text",
    ),
    "## Devices",
    Call(text="The devices that are shipped, and those of the project.", path="/devices"),
    Call(
        text="A device is stored under the name in the path ([devices.md](../specs/devices.md)).",
        method="PUT",
        path="/devices/pair",
        body={
            "qubits": [{"t1_us": 120, "t2_us": 90, "p01": 0.01, "p10": 0.02}, {}],
            "gates": [{"name": "cz", "qubits": [0, 1], "error": 0.004, "duration_ns": 68}],
        },
        status=201,
        show_headers=("location",),
    ),
    Call(text="A device as it can be stored again.", path="/devices/pair", show_headers=("etag",)),
    Call(
        text="What is no device is rejected, with the place of the mistake.",
        method="PUT",
        path="/devices/pair",
        body={"qubits": [{"t1_us": 50, "t2_us": 120}], "gates": []},
        status=422,
    ),
    Call(text="A device is removed.", method="DELETE", path="/devices/pair", status=204),
    "## Find tasks",
    Call(
        text="Lists by tag, status, name, time, worker or error code, newest first, in pages.",
        path="/tasks?tag=demo&limit=2",
        show_headers=("link",),
    ),
    Call(text="The number of tasks in each status.", path="/tasks/stats"),
    Call(
        text="What happened in periods of a day; those that were not recorded are left out"
        " ([history.md](../specs/history.md)).",
        path="/tasks/stats/history?from=2026-11-29T12:00:00Z&to=2026-11-30T12:00:00Z&step=3600",
    ),
    "## Change, cancel, run again, delete",
    Call(
        text="Name, tags and metadata can change at any time.",
        method="PATCH",
        path="/tasks/{bell}",
        body={"tags": ["demo", "kept"], "metadata": {"run": 3}},
    ),
    Call(
        text="Other fields cannot change.",
        method="PATCH",
        path="/tasks/{bell}",
        body={"shots": 5},
        status=422,
    ),
    Call(
        method="POST",
        path="/tasks",
        body={"qc": ENDLESS, "name": "endless"},
        status=202,
        keep={"endless": task_id},
    ),
    Call(
        text="A task that has not ended can be cancelled, also while it runs.",
        method="POST",
        path="/tasks/{endless}/cancel",
    ),
    Call(text="One that has ended cannot.", method="POST", path="/tasks/{bell}/cancel", status=409),
    Call(
        method="POST",
        path="/tasks",
        body={"qc": BELL, "shots": 10, "hold": True},
        status=202,
        keep={"held": task_id},
    ),
    Call(
        text="A task that was submitted with `hold` runs once it is released.",
        method="POST",
        path="/tasks/{held}/enqueue",
    ),
    Call(
        text="Run a task's program again, with the same seed or a new one.",
        method="POST",
        path="/tasks/{bell}/rerun",
        body={"seed": "new"},
        status=202,
    ),
    Call(
        text="A task that has ended can be deleted.",
        method="DELETE",
        path="/tasks/{endless}",
        status=204,
        show_headers=(),
    ),
    "## Webhooks",
    Call(
        text="When a task with a `callback` has ended, a signed message is sent there "
        "([webhooks.md](../specs/webhooks.md)).",
        method="POST",
        path="/tasks",
        body={"qc": BELL, "shots": 10, "hold": True, "callback": "https://receiver.invalid/hooks"},
        status=202,
        keep={"called_back": task_id},
    ),
    Call(
        text="What became of the message of a task; there is none before its end.",
        path="/tasks/{called_back}/deliveries",
    ),
    Call(
        text="A task without a delivery has none to repeat.",
        method="POST",
        path="/tasks/{called_back}/redeliver",
        status=404,
    ),
    Call(text="Deliveries of the project that were given up.", path="/deliveries?state=dead"),
    Call(text="All of these are attempted again.", method="POST", path="/deliveries/redeliver", status=202),
    Call(
        text="An address that is not public is rejected.",
        method="POST",
        path="/tasks",
        body={"qc": BELL, "callback": "http://127.0.0.1/hooks"},
        status=422,
    ),
    "## The service",
    Call(text="Methods, gates, versions and limits of the service.", path="/backends"),
    Call(text="The live workers and their tasks.", path="/workers"),
    Call(
        text="What the project's tasks took, by day or owner; with `format=csv` as CSV.",
        path="/usage?group=owner",
    ),
    Call(text="Health of database and queue.", path="/health"),
    Call(text="The version of the process that responds.", path="/version"),
    "## Keys and projects",
    Call(text="What the credentials of a request stand for; here the service authenticates nobody.", path="/whoami"),
    Call(text="Administrators create projects,", method="POST", path="/projects", body={"name": "optics"}, status=201),
    Call(text="and list them.", path="/projects"),
    Call(
        text="Quotas of a project as a whole, and of each owner in it.",
        method="PATCH",
        path="/projects/optics",
        body={"quotas": {"waiting": 1000, "shots_per_day": 10_000_000}, "owner_quotas": {"priority": 0}},
    ),
    Call(text="A project with its quotas.", path="/projects/optics"),
    Call(
        text="The whole key is in the response to its creation only.",
        method="POST",
        path="/keys",
        body={"project": "optics", "role": "submitter", "owner": "ada", "name": "laptop", "lifetime_s": 7_776_000},
        status=201,
        keep={"key": key_id},
    ),
    Call(
        text="A new key with the same rights; the old one ends in an hour.",
        method="POST",
        path="/keys/{key}/rotate",
        body={"overlap_s": 3600},
        status=201,
    ),
    Call(text="A key that is revoked is rejected within two seconds.", method="DELETE", path="/keys/{key}"),
    Call(text="The keys of a project, or of all.", path="/keys?project=optics"),
    Call(text="Who did what, the newest first ([specs/audit.md](../specs/audit.md)).", path="/audit?limit=2"),
    "## Administration",
    Call(
        text="No worker begins a task from now on; submissions are accepted ([specs/care.md](../specs/care.md)).",
        method="POST",
        path="/admin/pauses",
        body={"reason": "disk is full"},
    ),
    Call(method="POST", path="/tasks", body={"qc": ENDLESS}, status=202, keep={"stuck": task_id}),
    Call(text="What is paused.", path="/admin/pauses"),
    Call(
        text="A pending task is published again, or one is taken back from a worker that is dead, or by force.",
        method="POST",
        path="/admin/tasks/{stuck}/requeue",
        body={"force": True},
    ),
    Call(
        text="A task that cannot be ended otherwise is failed, with a reason for its owner.",
        method="POST",
        path="/admin/tasks/{stuck}/fail",
        body={"reason": "its backend is gone"},
    ),
    Call(text="The pause of one queue ends,", method="DELETE", path="/admin/pauses/convert"),
    Call(text="or every pause.", method="DELETE", path="/admin/pauses"),
    Call(path="/workers", keep={"worker": worker_id}),
    Call(
        text="One worker finishes what it runs, and claims nothing else.",
        method="POST",
        path="/admin/workers/{worker}/drain",
    ),
    Call(text="It claims tasks again.", method="DELETE", path="/admin/workers/{worker}/drain"),
    Call(
        text="Ended tasks beyond the limits of retention are deleted now, and their space is freed.",
        method="POST",
        path="/admin/vacuum",
    ),
    "## Bad requests",
    Call(
        text="Each wrong field is named, no value is repeated.",
        method="POST",
        path="/tasks",
        body={"qc": BELL, "shots": "many", "colour": 1},
        status=422,
    ),
    Call(text="An unknown id.", path="/tasks/00000000-0000-4000-8000-000000000000", status=404),
)
