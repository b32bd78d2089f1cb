"""What must hold after every run: each function reads what was stored and gives the promises it finds broken."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from tests.chaos.run.ledger import Acknowledgement, Cancellation
from tests.chaos.run.programs import KnownTask
from tests.chaos.verdict.records import TERMINAL, HistoryLine, Message, StoredTask, Violation
from tests.reference import assert_counts_match

# The specification's moves, written out a second time: the service's own table is what is under test.
LEGAL_MOVES = frozenset(
    {
        ("pending", "processing"),
        ("pending", "failed"),
        ("pending", "cancelled"),
        ("processing", "pending"),
        ("processing", "completed"),
        ("processing", "failed"),
        ("processing", "cancelled"),
    }
)
# A false alarm in a million runs of a thousand tasks.
FALSE_ALARM_RATE = 1e-9


def acknowledged_exist(acknowledged: Iterable[Acknowledgement], tasks: Iterable[StoredTask]) -> Iterator[Violation]:
    """Every id that was ever answered with is in the database."""
    stored = {task.task_id for task in tasks}
    for promise in acknowledged:
        if promise.task_id not in stored:
            yield Violation(
                invariant="acknowledged task exists", subject=promise.task_id, detail=f"number {promise.number} is gone"
            )


def all_terminal(tasks: Iterable[StoredTask]) -> Iterator[Violation]:
    """Every task has ended, and nothing is left to be done about it."""
    for task in tasks:
        if not task.terminal:
            yield _broken("every task ends", task, f"still {task.status} in attempt {task.attempt}")
        elif task.completed_at is None or task.lease_expires_at or task.dispatch_due_at:
            yield _broken(
                "an ended task is at rest",
                task,
                f"completed {task.completed_at}, lease until {task.lease_expires_at}, due {task.dispatch_due_at}",
            )


def history_is_legal(task: StoredTask) -> Iterator[Violation]:
    """From pending, by legal moves, to exactly one terminal line, which is the last and what the row says."""
    path = [line.status for line in task.history]
    ends = [status for status in path if status in TERMINAL]
    wrong = [move for move in pairwise(path) if move not in LEGAL_MOVES]
    if not path or path[0] != "pending" or wrong:
        yield _broken("history is a legal path", task, " > ".join(path) or "no history")
    if len(ends) != task.terminal or path[-1:] != [task.status]:
        yield _broken("history has one terminal line, the row's", task, f"row {task.status}: {' > '.join(path)}")


def attempts_grow(task: StoredTask) -> Iterator[Violation]:
    """Claims are numbered 1, 2, 3 …, each with a token of its own, and the row carries the last."""
    claims = task.lines("processing")
    numbers = [line.attempt for line in claims]
    tokens = {line.token for line in claims}
    if numbers != list(range(1, len(claims) + 1)) or len(tokens) != len(claims) or None in tokens:
        yield _broken("attempts strictly grow", task, f"attempts {numbers} with {len(tokens)} tokens")
    if task.attempt != len(claims) or (claims and task.token != claims[-1].token):
        yield _broken("the row carries the last claim", task, f"attempt {task.attempt} of {numbers}")


def leases_close_once(task: StoredTask) -> Iterator[Violation]:
    """What ends an attempt comes right after its claim and is signed with its token: no lease writes after its end."""
    holder: HistoryLine | None = None
    for line in task.history[1:]:
        if line.status == "processing":
            holder = line
            continue
        if holder is not None and not _signed_by(line, holder):
            yield _broken(
                "no write of a lost lease took effect",
                task,
                f"{line.status} of attempt {line.attempt} by {line.worker} in attempt {holder.attempt}",
            )
        holder = None


def result_is_of_last_attempt(task: StoredTask) -> Iterator[Violation]:
    """A completed task has one result, recorded under the attempt and token of its completed and processing lines."""
    completed = task.lines("completed")
    if (task.counts is not None) != (task.status == "completed"):
        yield _broken("a result if and only if completed", task, f"{task.status} with counts {task.counts}")
    if (task.error_code is not None) != (task.status == "failed") and task.status != "cancelled":
        yield _broken("an error if and only if failed", task, f"{task.status} with error {task.error_code}")
    for line in completed:
        if (line.attempt, line.token) != (task.attempt, task.token):
            yield _broken(
                "the result is of the attempt named", task, f"{line.attempt} in history, {task.attempt} in row"
            )
    if len(completed) > 1:
        yield _broken("one result", task, f"completed {len(completed)} times")


def answer_is_right(task: StoredTask, known: KnownTask) -> Iterator[Violation]:
    """Counts are a plausible sample of this very program; a wrong program fails with its error on its line."""
    if task.status == "completed":
        try:
            assert_counts_match(task.counts or {}, known.probabilities, known.shots, FALSE_ALARM_RATE)
        except AssertionError as error:
            yield _broken("the result is this program's", task, f"{known.kind} {known.number}: {error}")
    elif task.status == "failed" and (task.error_code, task.error_line) != (known.error_code, known.error_line):
        yield _broken(
            "tasks fail only for what is wrong with them",
            task,
            f"{known.kind} {known.number}: {task.error_code} at line {task.error_line}",
        )


def no_worker_is_lost(task: StoredTask) -> Iterator[Violation]:
    """No attempt was taken from its worker as that of a worker which is lost: for runs in which every worker lives."""
    for line in task.history:
        if line.cause == "worker_lost":
            yield _broken("a living worker is not lost", task, f"attempt {line.attempt} of {line.worker}")


def one_task_per_key(acknowledged: Iterable[Acknowledgement], tasks: Iterable[StoredTask]) -> Iterator[Violation]:
    """The same key is always answered with the same id, and is stored as one task however often it was sent."""
    responses: dict[str, set[str]] = defaultdict(set)
    for promise in acknowledged:
        responses[promise.key].add(promise.task_id)
    stored = Counter(task.correlation_id for task in tasks)
    for key, ids in responses.items():
        if len(ids) > 1 or stored[key] > 1:
            detail = f"answered with {len(ids)} ids, {stored[key]} rows"
            yield Violation(invariant="same key, same task", subject=key, detail=detail)


def cancellations_hold(cancellations: Sequence[Cancellation], tasks: Iterable[StoredTask]) -> Iterator[Violation]:
    """A task is cancelled only when asked to be, and always when the answer said so."""
    asked = {request.task_id for request in cancellations}
    granted = {request.task_id for request in cancellations if request.status is not None and request.status < 300}
    for task in tasks:
        if task.status == "cancelled" and task.task_id not in asked:
            yield _broken("cancelled only on request", task, "nobody asked")
        if task.task_id in granted and task.status != "cancelled":
            yield _broken("a granted cancellation holds", task, f"is {task.status}")


def messages_arrive(tasks: Iterable[StoredTask], messages: Iterable[Message]) -> Iterator[Violation]:
    """The end of each of these tasks, which have a callback, was delivered at least once, and under one id."""
    arrived: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for message in messages:
        arrived[message.task_id].add((message.status, message.message_id))
    for task in tasks:
        found = arrived.pop(task.task_id, set())
        if [status for status, _ in found] != [task.status]:
            yield _broken("the end of a task is delivered", task, f"{task.status}, and {sorted(found)} arrived")
    for task_id, found in arrived.items():
        yield Violation(invariant="only ends of tasks are delivered", subject=task_id, detail=str(sorted(found)))


def logs_agree(task: StoredTask, logged: Mapping[str, Sequence[int]]) -> Iterator[Violation]:
    """`logged` maps events to the attempts of this task that workers logged them for.

    What a worker was told is recorded stays recorded, and what it was told is void was not.
    """
    ended = {line.attempt for line in task.history if line.status in {"completed", "failed"}}
    for event in ("task.completed", "task.failed"):
        for attempt in set(logged.get(event, ())) - ended:
            yield _broken("a recorded outcome stands", task, f"{event} logged in attempt {attempt}")
    for attempt in set(logged.get("task.fenced_off", ())) & {line.attempt for line in task.lines("completed")}:
        yield _broken("a fenced write takes no effect", task, f"attempt {attempt} was fenced off and is recorded")


def no_defect_shows(crashes: Mapping[str, int]) -> Iterator[Violation]:
    """`crashes` maps logged errors to how often they were: no request was answered 500, no loop hit a defect.

    What a library logs, and what a supervised connection is started again after, is reported only.
    """
    for event, times in crashes.items():
        if event == "http.failed" or event.endswith("crashed"):
            yield Violation(invariant="no defect shows", subject=event, detail=f"{times} times")


def _signed_by(line: HistoryLine, holder: HistoryLine) -> bool:
    if line.status == "cancelled" and line.attempt is None:
        return True
    return (line.attempt, line.token, line.worker) == (holder.attempt, holder.token, holder.worker)


def _broken(invariant: str, task: StoredTask, detail: str) -> Violation:
    return Violation(invariant=invariant, subject=task.task_id, detail=detail)
