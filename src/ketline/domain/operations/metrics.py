"""All metrics of the service: the table from which the adapter makes them, and docs/metrics.md for operators.

A name ends with its base unit, seconds or bytes, and that of a counter with `_total`. Every label has its values from a
fixed set: error codes, kinds, templates of routes, and queues, which operators configure.

Source: Prometheus's documentation, "Metric and label naming".
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ketline.domain.failures import FailureCode
from ketline.domain.status import TaskStatus
from ketline.domain.webhooks.deliveries import DeliveryState

# From a program of milliseconds to one that runs for the longest time that a task may request.
TASK_BUCKETS = (0.001, 0.005, 0.02, 0.1, 0.5, 1.0, 2.5, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
REQUEST_BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
PAUSE_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


# Compared by identity: an instrument is a row of this module, and a key that is looked up for each count.
@dataclass(frozen=True, slots=True, eq=False)
class Instrument:
    """A metric: its name in Prometheus's format, what it tells, and the names of its labels."""

    name: str
    help: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Counter(Instrument):
    """Grows. `series` are the label values that are shown from the start, at 0, so that the first count is a change."""

    series: Sequence[tuple[str, ...]] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Histogram(Instrument):
    """Counts observations by size; `buckets` are their upper bounds."""

    buckets: Sequence[float] = TASK_BUCKETS


@dataclass(frozen=True, slots=True, eq=False)
class Gauge(Instrument):
    """Is read at each scrape; without a reading it is not shown."""


@dataclass(frozen=True, slots=True, eq=False)
class Total(Instrument):
    """A counter whose value is read at each scrape, like a gauge."""


_FAILED = [(TaskStatus.FAILED.value, code.value) for code in FailureCode]

# Tasks, counted where it happens.
TASKS_SUBMITTED = Counter("ketline_tasks_submitted_total", "Tasks accepted, without repeated submissions.", ("kind",))
TASKS_ENDED = Counter(
    "ketline_tasks_ended_total",
    "Tasks that this process ended, by terminal status and error code.",
    ("status", "cause"),
    [(TaskStatus.COMPLETED.value, ""), (TaskStatus.CANCELLED.value, ""), *_FAILED],
)
TASK_RETRIES = Counter(
    "ketline_task_retries_total", "Attempts that failed through no fault of the program, and are repeated.", ("cause",)
)
TASK_DEFERRALS = Counter(
    "ketline_task_deferrals_total", "Claimed tasks that went back to the queue before they began.", ("cause",)
)
TASK_WAITING = Histogram(
    "ketline_task_waiting_seconds", "Time from submission, or schedule, to each claim of a task.", ("kind",)
)
TASK_RUNNING = Histogram(
    "ketline_task_running_seconds", "Time from the claim of a task to its outcome, before that is recorded.", ("kind",)
)
TASK_RECORDING = Histogram(
    "ketline_task_recording_seconds", "Time to record the outcome of an attempt in the database.", (), PAUSE_BUCKETS
)
LEASES_LOST = Counter("ketline_task_leases_lost_total", "Attempts stopped because their lease was lost or cancelled.")
LEASES_EXPIRED = Counter(
    "ketline_task_leases_expired_total",
    "Expired leases that this process took from workers, by the new status of the task.",
    ("status",),
    [(TaskStatus.PENDING.value,), (TaskStatus.FAILED.value,)],
)
WRITES_FENCED = Counter(
    "ketline_task_writes_fenced_total", "Outcomes that were not recorded because the attempt no longer held its lease."
)

# Messages.
MESSAGES_PUBLISHED = Counter("ketline_messages_published_total", "Messages that the queue accepted.")
MESSAGES_REJECTED = Counter("ketline_messages_rejected_total", "Messages that the queue did not accept or confirm.")
TASKS_REDISPATCHED = Counter(
    "ketline_tasks_redispatched_total", "Tasks published again because their message seemed lost."
)

# Messages about ended tasks, to callbacks.
WEBHOOK_ATTEMPTS = Counter(
    "ketline_webhook_attempts_total",
    "Attempts to deliver a message to a callback, by the state of the delivery after it: waiting if it failed.",
    ("state",),
    [(state.value,) for state in DeliveryState],
)

# Simulators: processes that run or read programs.
SIMULATORS_STARTED = Counter("ketline_simulators_started_total", "Simulator processes that became ready.", ("use",))
SIMULATORS_KILLED = Counter(
    "ketline_simulators_killed_total",
    "Simulator processes that were killed while they ran a program.",
    ("use", "cause"),
)
SIMULATORS_FAILED = Counter(
    "ketline_simulators_failed_total",
    "Simulator processes that could not be started, or ended by themselves in a program.",
    ("use", "cause"),
)
SIMULATOR_PROCESSOR = Total(
    "ketline_simulator_processor_seconds_total", "Processor time of simulator processes.", ("use",)
)
SIMULATORS = Gauge("ketline_simulators", "Simulator processes.", ("use",))
SIMULATORS_BUSY = Gauge("ketline_simulators_busy", "Simulator processes that run a program: slots in use.", ("use",))
SIMULATOR_MEMORY = Gauge(
    "ketline_simulator_resident_memory_bytes", "Resident memory of all simulator processes.", ("use",)
)
SLOTS = Gauge("ketline_worker_slots", "Programs that this worker may run at once.", ("use",))

# Requests.
REQUESTS = Counter("ketline_http_requests_total", "Requests by route and status.", ("method", "route", "status"))
REQUEST_DURATION = Histogram(
    "ketline_http_request_duration_seconds",
    "Time until the response began; requests that wait for a task are included.",
    ("method", "route"),
    REQUEST_BUCKETS,
)
PROBLEMS = Counter("ketline_http_problems_total", "Responses that are a problem, by its code.", ("code",))
AUTHENTICATION_REFUSALS = Counter(
    "ketline_authentication_refusals_total", "Requests and sign-ins rejected for their credentials or role.", ("code",)
)
QUOTA_REFUSALS = Counter(
    "ketline_quota_refusals_total", "Submissions and changes that a quota did not permit.", ("quota", "quota_of")
)
CONNECTIONS = Gauge("ketline_http_connections", "Open connections of clients.")
CONNECTIONS_REJECTED = Counter(
    "ketline_http_connections_rejected_total",
    "Connections closed because a limit was exceeded, by its code.",
    ("code",),
)

# The process.
BUILD = Gauge("ketline_build_info", "1, with the version and the role of the process.", ("version", "role"))
LOOP_LAG = Histogram(
    "ketline_event_loop_lag_seconds", "Delay of the event loop, measured four times a second.", (), PAUSE_BUCKETS
)
POOL_WAIT = Histogram(
    "ketline_database_pool_wait_seconds", "Time that work waited for a session, if none was free.", (), REQUEST_BUCKETS
)
DATABASE_SESSIONS = Gauge("ketline_database_sessions", "Open database sessions, by state: idle or used.", ("state",))
DEPENDENCY_UP = Gauge(
    "ketline_dependency_up", "1 if database or queue could be used at this scrape, else 0.", ("dependency",)
)
DEPENDENCY_PROBLEM = Gauge(
    "ketline_dependency_problem", "1, with the code of a problem of database or queue.", ("dependency", "code")
)
DATA_FREE = Gauge("ketline_data_directory_free_bytes", "Space left for the data of `ketline up`.")
DATA_SIZE = Gauge("ketline_data_directory_size_bytes", "Size of the file system with the data of `ketline up`.")

# The service, read from database and broker by API processes.
QUEUE_TASKS = Gauge(
    "ketline_queue_tasks",
    "Tasks that have not ended, by queue and state: waiting, delayed (scheduled, held, or before a retry), processing.",
    ("queue", "state"),
)
QUEUE_OLDEST = Gauge("ketline_queue_oldest_task_seconds", "Age of the task that has waited for longest.", ("queue",))
QUEUE_PREDICTED = Gauge(
    "ketline_queue_predicted_work_seconds",
    "Predicted slot time of waiting and processing tasks: for each the mean of the last tasks.",
    ("queue",),
)
QUEUE_BUSY = Gauge("ketline_queue_busy_slots", "Tasks that have been processing for over a second.", ("queue",))
QUEUE_WORKERS = Gauge("ketline_queue_workers", "Live workers that take tasks of a queue.", ("queue",))
WORKERS = Gauge("ketline_workers", "Live workers, by their heartbeats.")
WORKERS_BROKEN = Gauge("ketline_workers_without_simulator", "Live workers that can start no simulator.")
WORKERS_DRAINING = Gauge("ketline_workers_draining", "Live workers that claim no tasks because they are drained.")
CLAIM_PAUSES = Gauge("ketline_claim_pauses", "Pauses of claims, of all queues or of some, that are in force.")
DEAD_LETTERS = Gauge("ketline_dead_letters", "Messages in the dead-letter queue.")
WEBHOOKS_WAITING = Gauge("ketline_webhooks_waiting", "Messages to callbacks that have not been delivered yet.")
WEBHOOKS_OLDEST = Gauge(
    "ketline_webhooks_oldest_seconds", "Age of the oldest message that has not been delivered, 0 without one."
)
DATABASE_SIZE = Gauge("ketline_database_size_bytes", "Size of the database.")
MEASUREMENT_SUCCESS = Gauge(
    "ketline_measurement_success", "1 if the gauges of the service could be read for this scrape, else 0."
)

INSTRUMENTS: Sequence[Instrument] = tuple(value for value in list(globals().values()) if isinstance(value, Instrument))
