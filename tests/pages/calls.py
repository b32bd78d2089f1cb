"""What the page of the API shows: the requests, in order, and the words between them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

BELL = 'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[2] c; h q[0]; cx q[0], q[1]; c = measure q;'
PAIR = 'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; h q[0]; cx q[0], q[1];'
ROTATION = 'OPENQASM 3.0; include "stdgates.inc"; input float theta; qubit q; bit c; ry(theta) q; c = measure q;'
WRONG = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit q;\nfoo q;\n'
# Never ends by itself: it waits for a 1 that cannot come.
ENDLESS = "OPENQASM 3.0; qubit q; bit c; c = measure q; while (!c) { reset q; c = measure q; }"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request of the page. `{name}` in path and headers stands for what an earlier call kept under that name.

    `keep` maps names to where they are found in the answer; without a `text` the request is made and not shown.
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


HEAD = """# The API, call by call

Every call of Ketline's REST interface, with what a service answered to it. Made by `python -m tests.pages.api` from a
fresh `ketline up`; a test makes the same calls. Every field: `/docs` of a running service. Every error code:
[errors.md](errors.md).
"""

CALLS: Sequence[str | Call] = (
    "## Submit",
    Call(
        text="A program, and how often to run it. The answer comes once the task is stored.",
        method="POST",
        path="/tasks",
        body={"qc": BELL, "shots": 1000, "seed": 7, "name": "bell", "tags": ["demo"]},
        status=202,
        keep={"bell": task_id},
        show_headers=("location",),
    ),
    Call(
        text="With `Prefer: wait` the answer is the finished task, if it ends in time.",
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
        text="A task of higher priority goes first; a point counts as much as a minute of waiting.",
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
        text="A repeated submission under one key is the same task; the answer then has `Idempotent-Replayed: true`.",
        method="POST",
        path="/tasks",
        body={"qc": BELL, "shots": 10},
        headers={"Idempotency-Key": "run-42"},
        status=202,
        keep={"repeated": task_id},
    ),
    Call(method="GET", path="/tasks/{repeated}?wait=30"),
    Call(
        text="Up to 1,000 programs at once, all of them or none.",
        method="POST",
        path="/tasks/batch",
        body={"tasks": [{"qc": BELL, "shots": 10, "tags": ["demo"]}, {"qc": WRONG, "tags": ["demo"]}]},
        status=202,
        keep={
            "first": lambda answer: str(answer["tasks"][0]["task_id"]),
            "wrong": lambda a: str(a["tasks"][1]["task_id"]),
        },
    ),
    "## Read, wait, follow",
    Call(text="A task, once it has ended, or as it stands after 30 s.", path="/tasks/{bell}?wait=30"),
    Call(text="A program that is wrong fails, and says where.", path="/tasks/{wrong}?wait=30"),
    Call(text="Its status without its result.", path="/tasks/{first}?wait=30&result=false"),
    Call(
        text="Each change as it happens, as server-sent events; of all tasks with a tag at `/tasks/events?tag=demo`.",
        path="/tasks/{bell}/events",
    ),
    "## Results",
    Call(text="Counts, and nothing else.", path="/tasks/{bell}/counts"),
    Call(text="The most frequent outcome, in hexadecimal.", path="/tasks/{bell}/counts?top=1&format=hex"),
    Call(
        text="As CSV; `application/x-npy` is a NumPy array.",
        path="/tasks/{bell}/counts",
        headers={"Accept": "text/csv"},
    ),
    Call(text="Every shot in order, for a task submitted with `memory`.", path="/tasks/{rotation}/memory"),
    Call(text="One register alone, by its name.", path="/tasks/{rotation}/counts?register=c"),
    Call(text="The counts of each point of a sweep; `?point=1` is one of them.", path="/tasks/{sweep}/counts"),
    Call(path="/tasks/{bell}/memory", text="Of one without.", status=409),
    Call(path="/tasks/{wrong}/counts", text="A task that failed has no counts.", status=409),
    "## Look at a program",
    Call(
        text="What a program would come to, without running it.",
        method="POST",
        path="/validate",
        body={"qc": BELL},
    ),
    Call(text="What is wrong with it, and where.", method="POST", path="/validate", body={"qc": WRONG}),
    Call(
        text="A task's circuit as text; `source`, `svg` and `flat` are the other formats.",
        path="/tasks/{bell}/circuit?format=text",
    ),
    "## Find tasks",
    Call(
        text="By tag, status, name, time, worker or error code, newest first, page by page.",
        path="/tasks?tag=demo&limit=2",
        show_headers=("link",),
    ),
    Call(text="How many there are.", path="/tasks/stats"),
    "## Change, cancel, run again, delete",
    Call(
        text="Name, tags and metadata at any time.",
        method="PATCH",
        path="/tasks/{bell}",
        body={"tags": ["demo", "kept"], "metadata": {"run": 3}},
    ),
    Call(
        text="What is the service's own cannot be changed.",
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
        text="Once more, with the same seed or a new one.",
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
    "## The service",
    Call(text="What it runs, and its limits.", path="/backends"),
    Call(text="Who works.", path="/workers"),
    Call(text="Whether all is well.", path="/health"),
    "## Bad requests",
    Call(
        text="Each wrong field is named, no value is repeated.",
        method="POST",
        path="/tasks",
        body={"qc": BELL, "shots": "many", "colour": 1},
        status=422,
    ),
    Call(text="An id that nobody has.", path="/tasks/00000000-0000-4000-8000-000000000000", status=404),
)
