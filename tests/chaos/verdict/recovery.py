"""How long a lost worker's task waited for the next one, and how long the tasks of all for the broker."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tests.chaos.run.injector import Injection
from tests.chaos.run.plan import OF_SERVICE, OUTAGES
from tests.chaos.verdict.records import HistoryLine, StoredTask

# After an outage has ended the service needs a moment to connect again.
_AFTERMATH = timedelta(seconds=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """A task whose worker was killed: seconds until it was taken away and until another worker began it.

    `losses` counts the workers it had lost before, which lengthens its pause; `undisturbed` says that nothing that
    all depend on was down meanwhile.
    """

    task_id: str
    reaped_seconds: float
    resumed_seconds: float
    losses: int
    undisturbed: bool


def worker_recoveries(
    tasks: Iterable[StoredTask], killed: Mapping[str, datetime], injections: Sequence[Injection]
) -> Sequence[Recovery]:
    """One for each task that a killed worker held; `killed` has the moment by the worker's name."""
    outages = [injection for injection in injections if injection.kind in OUTAGES]
    return [found for task in tasks for found in _recoveries(task, killed, outages)]


def broker_recoveries(tasks: Iterable[StoredTask], injections: Sequence[Injection]) -> Sequence[float]:
    """For each restart of the broker: seconds until a task was begun and completed, from when both were there."""
    begun = sorted(
        (line.at, before.at)
        for task in tasks
        for before, line, end in zip(task.history, task.history[1:], task.history[2:], strict=False)
        if (line.status, end.status) == ("processing", "completed")
    )
    back = [injection.until for injection in injections if injection.kind == "kill_broker"]
    firsts = (next(((at, ready) for at, ready in begun if at >= moment), None) for moment in back)
    pairs = zip(firsts, back, strict=True)
    return [(first[0] - max(first[1], moment)).total_seconds() for first, moment in pairs if first is not None]


def completions(tasks: Iterable[StoredTask], start: datetime, seconds: float = 10.0) -> Sequence[int]:
    """How many tasks were completed in each span of so many seconds: a stall of the service is a row of zeros."""
    ends = [(end.at - start).total_seconds() for task in tasks for _, end in _completed_attempts(task)]
    spans = Counter(int(end // seconds) for end in ends)
    return [spans[number] for number in range(max(spans, default=-1) + 1)]


def _recoveries(task: StoredTask, killed: Mapping[str, datetime], outages: Sequence[Injection]) -> Iterator[Recovery]:
    for losses, (claim, lost, resumed) in enumerate(_losses(task)):
        at = killed.get(claim.worker or "")
        if at is not None and claim.at <= at <= lost.at:
            yield Recovery(
                task_id=task.task_id,
                reaped_seconds=(lost.at - at).total_seconds(),
                resumed_seconds=(resumed.at - at).total_seconds(),
                losses=losses,
                undisturbed=not any(_disturbs(outage, claim.worker, at, resumed.at) for outage in outages),
            )


def _losses(task: StoredTask) -> Iterator[tuple[HistoryLine, HistoryLine, HistoryLine]]:
    """Each claim that did not end its task, with the line that took it back and the next claim."""
    history = task.history
    for claim, lost, resumed in zip(history, history[1:], history[2:], strict=False):
        if (claim.status, lost.status, resumed.status) == ("processing", "pending", "processing"):
            yield claim, lost, resumed


def _completed_attempts(task: StoredTask) -> Iterator[tuple[HistoryLine, HistoryLine]]:
    for line, end in zip(task.history, task.history[1:], strict=False):
        if (line.status, end.status) == ("processing", "completed"):
            yield line, end


def _disturbs(outage: Injection, worker: str | None, start: datetime, end: datetime) -> bool:
    """Whether it was felt in this span; the fault that killed the worker itself does not count."""
    aftermath = timedelta() if outage.kind in OF_SERVICE else _AFTERMATH
    overlaps = outage.at <= end and outage.until + aftermath >= start
    return overlaps and worker not in outage.target.split()
