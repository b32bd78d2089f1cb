"""Every failpoint with every fault in either mode: what is tested, how, and what makes no sense and why."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from tests.failpoints.control import Fault


class Mode(StrEnum):
    """The service on PostgreSQL and RabbitMQ, the one on PostgreSQL and Redis, and the one on SQLite."""

    DISTRIBUTED = "distributed"
    REDIS = "redis"
    EMBEDDED = "embedded"


class Stimulus(StrEnum):
    """What the client and the world do, so that the service reaches a point; see `stimuli`."""

    SUBMIT = "submit"
    SUBMIT_AGAIN = "submit again"
    SUBMIT_BATCH = "submit a batch"
    SUBMIT_LIMITED = "submit to a project with quotas"
    SUBMIT_WRONG = "submit a wrong program"
    SUBMIT_LONG = "submit a long program"
    CANCEL = "cancel a running task"
    ENQUEUE = "release a held task"
    STOP = "stop a worker at work"
    KILL = "kill a worker at work"
    CRASH = "kill a simulator at work"
    MEASURE = "end a task of seconds, which a measurement finds"
    OCCUPY = "tell a program that the machine is busy"
    REJECT = "reject a message"
    MISLAY = "mislay a message"
    STARVE = "leave a worker without a simulator"
    RUN = "submit a program for a backend"
    RUN_UNTOLD = "submit a program for a backend that cannot tell whether it has a job"
    RUN_BUSY = "submit a program for a backend that takes no jobs at first"
    CANCEL_RUN = "cancel a task whose job runs on a backend"
    RUN_LATE = "submit a program whose job on a backend exceeds its time limit"
    OUTAGE = "have no database for longer than a lease, with a worker at work"
    OUTAGE_AT_END = "have no database for longer than a lease, in which a program ends"
    OUTAGE_AND_KILL = "have no database for longer than a lease, in which a worker at work is killed"


class Hanging(StrEnum):
    """What a call that never returns stops. Real adapters bound every call in time, so these are worst cases."""

    NOTHING = "nothing that anybody waits for"
    LOOP = "one process's loop or slot: others do its work, where there are others"
    TASK = "the task, whose lease may be renewed all the while: killing the process must be enough"


@dataclass(frozen=True, slots=True)
class Row:
    """A step between accept and acknowledge, and where it can be struck."""

    step: str
    stimulus: Stimulus
    hanging: Hanging
    sides: tuple[str, ...] = ("before", "commit", "after")
    # The call that is struck, where other rows strike it too.
    call: str = ""


BOTH = ("before", "after")
TABLE = (
    Row("add", Stimulus.SUBMIT, Hanging.NOTHING),
    Row("add_again", Stimulus.SUBMIT_AGAIN, Hanging.NOTHING),
    Row("add_all", Stimulus.SUBMIT_BATCH, Hanging.NOTHING, BOTH),
    Row("add_limited", Stimulus.SUBMIT_LIMITED, Hanging.NOTHING),
    Row("take_due", Stimulus.REJECT, Hanging.LOOP),
    Row("publish", Stimulus.SUBMIT, Hanging.LOOP, BOTH),
    Row("postpone", Stimulus.REJECT, Hanging.LOOP),
    Row("take_overdue", Stimulus.MISLAY, Hanging.LOOP),
    Row("receive", Stimulus.SUBMIT, Hanging.TASK, ("after",)),
    Row("claim", Stimulus.SUBMIT, Hanging.TASK, ("before", "commit")),
    Row("claim", Stimulus.SUBMIT, Hanging.LOOP, ("after",)),
    Row("run", Stimulus.SUBMIT, Hanging.TASK, BOTH),
    Row("child", Stimulus.SUBMIT, Hanging.NOTHING, ("received", "answering", "answered")),
    Row("renew", Stimulus.SUBMIT_LONG, Hanging.NOTHING),
    Row("finish", Stimulus.SUBMIT, Hanging.TASK),
    Row("fail", Stimulus.SUBMIT_WRONG, Hanging.TASK),
    Row("retry", Stimulus.CRASH, Hanging.TASK),
    Row("release", Stimulus.STOP, Hanging.TASK),
    Row("defer", Stimulus.OCCUPY, Hanging.TASK),
    Row("hand_back", Stimulus.STARVE, Hanging.TASK, call="defer"),
    Row("recall", Stimulus.OCCUPY, Hanging.LOOP),
    Row("reap", Stimulus.KILL, Hanging.LOOP),
    Row("renew_lapsed", Stimulus.OUTAGE, Hanging.NOTHING, call="renew"),
    Row("finish_late", Stimulus.OUTAGE_AT_END, Hanging.TASK, call="finish"),
    Row("excuse", Stimulus.OUTAGE_AND_KILL, Hanging.LOOP, call="reap"),
    Row("begin_job", Stimulus.RUN, Hanging.TASK),
    Row("record_job", Stimulus.RUN, Hanging.TASK),
    Row("begin_job_untold", Stimulus.RUN_UNTOLD, Hanging.TASK, call="begin_job"),
    Row("record_job_untold", Stimulus.RUN_UNTOLD, Hanging.TASK, call="record_job"),
    Row("follow_job", Stimulus.RUN, Hanging.TASK),
    Row("drop_job", Stimulus.RUN_BUSY, Hanging.TASK),
    Row("end_job", Stimulus.CANCEL_RUN, Hanging.LOOP),
    Row("fail_late", Stimulus.RUN_LATE, Hanging.TASK, call="fail"),
    Row("cancel", Stimulus.CANCEL, Hanging.NOTHING),
    Row("enqueue", Stimulus.ENQUEUE, Hanging.NOTHING),
    Row("acknowledge", Stimulus.SUBMIT, Hanging.LOOP, BOTH),
    Row("start_afresh", Stimulus.KILL, Hanging.TASK, BOTH),
    Row("measure", Stimulus.MEASURE, Hanging.LOOP),
)


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Cases that are left out; `which` matches `mode point fault`."""

    which: str
    reason: str


EXCLUSIONS = (
    Exclusion(r"\S+ \S+\.commit (kill|error|unavailable|hang)", "a COMMIT under way is the connection's to fail"),
    Exclusion(r"\S+ \S+\.(?!commit)\S+ (cut|lost)", "only a COMMIT has an outcome that a cut makes uncertain"),
    Exclusion(r"embedded \S+\.commit .*", "SQLite has no connection: a kill on either side of the COMMIT is the case"),
    Exclusion(
        r"redis (?!(publish|postpone|take_overdue|receive|acknowledge|release|reap|start_afresh)\.).*",
        "the step has nothing to do with the broker",
    ),
    Exclusion(r"(distributed|redis) start_afresh\..*", "only the one process of an embedded service starts afresh"),
    Exclusion(r"embedded excuse\..*", "a process that dies without its database starts afresh with another"),
    Exclusion(r"\S+ child\..* unavailable", "the simulator uses no database and no broker"),
    Exclusion(r"\S+ (receive|run|acknowledge)\..* unavailable", "the port names no such error at this step"),
    Exclusion(r"\S+ child\.answered hang", "no task is in its hands: it hangs when it receives the next"),
    Exclusion(r"\S+ child\.answered error", "a simulator that ends after its answer is the same as one killed then"),
)


@dataclass(frozen=True, slots=True)
class Case:
    """One point, one fault, one mode; `role` narrows it to one kind of process where several reach the point."""

    mode: Mode
    row: Row
    side: str
    fault: Fault
    role: str = ""

    @property
    def point(self) -> str:
        return f"{self.row.step}.{self.side}"

    @property
    def armed_point(self) -> str:
        """A submission that is repeated or limited passes the points of any submission, but for its own COMMIT."""
        if self.row.step in ("add_again", "add_limited"):
            return f"add.{self.side}" if self.side != "commit" else self.point
        return f"{self.row.call or self.row.step}.{self.side}"

    @property
    def saved_by_kill(self) -> bool:
        """Whether the task cannot end before the process that hangs is killed."""
        lonely = self.mode is Mode.EMBEDDED and self.row.hanging is Hanging.LOOP
        return self.fault is Fault.HANG and (lonely or self.row.hanging is Hanging.TASK)

    def __str__(self) -> str:
        return "-".join(filter(None, (self.mode, self.point, self.fault, self.role)))


def cases() -> list[Case]:
    """Every case that is run."""
    return [case for case in [*product(), *sweeps_of_workers()] if excluded(case) is None]


def product() -> Iterator[Case]:
    for mode in Mode:
        for row in TABLE:
            for side in row.sides:
                yield from (Case(mode, row, side, fault) for fault in Fault)


def sweeps_of_workers() -> Iterator[Case]:
    """Dispatcher and reaper run in workers too: a crash makes a task due that no submission nudged the API about."""
    for step, stimulus in (
        ("take_due", Stimulus.CRASH),
        ("publish", Stimulus.CRASH),
        ("reap", Stimulus.KILL),
    ):
        for side in BOTH:
            yield Case(Mode.DISTRIBUTED, Row(step, stimulus, Hanging.LOOP, BOTH), side, Fault.KILL, role="worker")


def excluded(case: Case) -> str | None:
    """Why a case is left out; None for one that is run."""
    name = f"{case.mode} {case.point} {case.fault}"
    return next((out.reason for out in EXCLUSIONS if re.fullmatch(out.which, name)), None)
