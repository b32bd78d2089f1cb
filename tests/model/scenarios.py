"""The scenarios: sizes, faults and the kind of program of one exploration."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Bounds of one exploration. Faults that are on may strike any number of times; `stops`, `deferrals`,
    `failovers` and `outages` count.

    `program`: good (completes), wrong (fails), flaky (may kill its simulator) or poison (kills its worker).
    `queues` has the queue of each task, `a` or `b`; `takes` the queues that each slot takes.
    """

    name: str
    about: str
    queues: str = "a"
    takes: tuple[str, ...] = ("a", "a")
    messages: int = 1  # of one task on one queue, at most
    program: str = "good"
    max_attempts: int = 2
    crash_budget: int = 2
    stops: int = 0
    deferrals: int = 0
    failovers: int = 0
    outages: int = 0  # the database is down for longer than a lease
    same_key: bool = False
    api_crash: bool = False
    crash: bool = False
    freeze: bool = False
    cut: bool = False  # connections break during COMMIT: applied, and the answer is lost
    wire: bool = False  # a dead process's last write may still arrive
    broker_faults: bool = False
    misroutes: bool = False  # messages may move to the wrong queue
    turns: bool = False  # another project may have its turn: a claim takes any dispatched task of the queue
    cancel: bool = False
    embedded: bool = False  # API, broker and workers are one process, killed and started again as one

    @property
    def tasks(self) -> int:
        return len(self.queues)

    @property
    def workers(self) -> int:
        return len(self.takes)

    def queue_of(self, task: int, stray: bool) -> str:
        """The queue that a message of the task is on; a stray one is on the other queue."""
        queue = self.queues[task]
        return "ba"["ab".index(queue)] if stray else queue

    def is_served(self, queue: str) -> bool:
        return any(queue in taken for taken in self.takes)

    def wider(self) -> "Scenario":
        """The same with one more message, attempt and lost worker, for `--deep`."""
        return replace(
            self,
            messages=self.messages + 1,
            max_attempts=self.max_attempts + 1,
            crash_budget=self.crash_budget + 1,
        )


SCENARIOS = (
    Scenario(
        name="submit",
        about="two submits with one key; API, worker and connections break",
        queues="aa",
        same_key=True,
        api_crash=True,
        cut=True,
        crash=True,
    ),
    Scenario(
        name="delivery",
        about="one worker; API, dispatcher, worker and broker break",
        takes=("a",),
        messages=2,
        api_crash=True,
        crash=True,
        broker_faults=True,
        cut=True,
    ),
    Scenario(
        name="takeover",
        about="two workers that crash, freeze and resume; their last writes arrive late; the broker loses and repeats "
        "messages",
        messages=2,
        crash=True,
        freeze=True,
        wire=True,
        broker_faults=True,
    ),
    Scenario(
        name="races",
        about="cancel, graceful stop, freeze, and cut connections meet a finish",
        stops=1,
        freeze=True,
        cut=True,
        cancel=True,
    ),
    Scenario(
        name="large",
        about="a program is deferred while a large one runs, on workers that freeze, crash and are cut off",
        deferrals=1,
        freeze=True,
        crash=True,
        cut=True,
    ),
    Scenario(
        name="failover",
        about="the database falls back to a copy that lacks the last claim",
        failovers=1,
        crash=True,
        wire=True,
    ),
    Scenario(
        name="outage",
        about="the database is down for longer than a lease, twice; workers crash, are cut off and stopped",
        outages=2,
        stops=1,
        crash=True,
        cut=True,
    ),
    Scenario(
        name="flaky",
        about="a program that may kill its simulator, on a worker that dies and freezes",
        program="flaky",
        takes=("a",),
        crash_budget=3,
        freeze=True,
        crash=True,
        broker_faults=True,
    ),
    Scenario(
        name="poison",
        about="a program that kills every worker that runs it",
        program="poison",
        max_attempts=3,
        crash_budget=2,
        broker_faults=True,
    ),
    Scenario(
        name="wrong",
        about="a program that fails by itself, cancelled or not",
        program="wrong",
        crash=True,
        freeze=True,
        cut=True,
        cancel=True,
    ),
    Scenario(
        name="embedded",
        about="API, broker and workers are one process, killed at any instant and started again",
        cut=True,
        embedded=True,
        stops=1,
    ),
    Scenario(name="two tasks", about="two tasks, two workers that crash", queues="aa", crash=True),
    Scenario(
        name="projects",
        about="two tasks of two projects, either of which may have its turn; workers crash, the broker loses messages",
        queues="aa",
        turns=True,
        crash=True,
        broker_faults=True,
    ),
    Scenario(
        name="queues",
        about="two queues with a worker each; messages move to the wrong queue, workers crash",
        queues="ab",
        takes=("a", "b"),
        crash_budget=1,
        crash=True,
        misroutes=True,
    ),
    Scenario(
        name="both queues",
        about="two queues, one worker takes both, another takes one; messages move to the wrong queue",
        queues="ab",
        takes=("ab", "a"),
        misroutes=True,
    ),
    Scenario(
        name="unserved",
        about="two queues, of which no worker takes one; the broker loses, repeats and moves messages",
        queues="ab",
        takes=("a",),
        messages=2,
        broker_faults=True,
        misroutes=True,
    ),
)
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
