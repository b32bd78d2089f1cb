"""What a chaos run is to do, and the settings that make the service's clocks quick enough for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ketline.config import variables

Mode = Literal["distributed", "embedded"]
# Of a distributed service; Redis in memory only, or with an append-only file.
BrokerKind = Literal["rabbitmq", "redis", "redis-aof"]

LEASE_SECONDS = 2.0
REAP_SECONDS = 0.5
RETRY_DELAY_SECONDS = 0.2
GRACE_SECONDS = 1.0
APIS = 2
WORKERS = 4

# Set where the service knows them, so that the harness also runs against a version that does not yet.
_IF_KNOWN = {"KETLINE_MAX_CRASHES": "100"}


# The receiver of messages is on loopback.
_CALLBACKS = {"KETLINE_WEBHOOK_ALLOW": "127.0.0.0/8", "KETLINE_WEBHOOK_TIMEOUT_S": "2"}
_QUICK_CLOCKS = {
    "KETLINE_LEASE_S": f"{LEASE_SECONDS:g}",
    "KETLINE_REAP_INTERVAL_S": f"{REAP_SECONDS:g}",
    "KETLINE_REDISPATCH_S": "2",
    "KETLINE_SHUTDOWN_GRACE_S": f"{GRACE_SECONDS:g}",
    "WORKER_RETRY_DELAY_S": f"{RETRY_DELAY_SECONDS:g}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One run: `tasks` are submitted over `seconds` while faults injection, one every `pauses` seconds.

    `faults` is how often each kind is in the deck that is shuffled and drawn from, again and again. Afterwards
    everything accepted must end, with no pause of `settle_seconds` in which no task does: a machine that is slow is
    no fault. Without `quick_clocks` leases and delays are the service's
    defaults. Faults of what the service has at hand last for `lasting` seconds, those that stop the database for
    `outage_seconds`. A service that is not `patient` tries a task as often as by default.
    """

    mode: Mode
    seed: int
    tasks: int
    seconds: float
    faults: Mapping[str, int]
    pauses: tuple[float, float] = (0.5, 3.0)
    long_share: float = 0.1
    settle_seconds: float = 120.0
    quick_clocks: bool = True
    small_disk_mb: int = 0
    patient: bool = True
    piped_logs: bool = False
    lasting: tuple[float, float] = (2.0, 5.0)
    outage_seconds: float = 16.0
    variant: str = ""
    broker: BrokerKind = "rabbitmq"

    @property
    def label(self) -> str:
        """What runs are added up under."""
        return f"{self.mode}{self.variant}{'' if self.broker == 'rabbitmq' else f'-{self.broker}'}"

    @property
    def spares_workers(self) -> bool:
        """Whether no fault ends a worker, so that nothing may be taken for one that was lost."""
        return self.faults.keys() <= SCARCITY[self.mode].keys()

    @property
    def sets_clocks(self) -> bool:
        return any(fault.startswith("set_clock") for fault in self.faults)

    @property
    def name(self) -> str:
        return f"{self.label}-{self.seed}"


DISTRIBUTED_FAULTS: Mapping[str, int] = {
    "kill_worker": 10,
    "kill_simulator": 6,
    "kill_api": 4,
    "kill_every_worker": 2,
    "kill_broker": 1,
    "kill_postmaster": 2,
    "kill_database_backend": 2,
    "end_database_sessions": 2,
    "freeze_worker": 3,
    "close_broker_connections": 1,
    "purge_queue": 2,
    "repeat_messages": 2,
    "raise_memory_alarm": 1,
    "stop_worker": 2,
    "stop_api": 1,
    "cancel_task": 3,
}
# What Redis does, or has done to it, beside that.
REDIS_FAULTS: Mapping[str, int] = {"kill_broker": 2, "flush_broker": 2, "evict_queue": 2, "destroy_group": 1}
EMBEDDED_FAULTS: Mapping[str, int] = {
    "kill_service": 12,
    "kill_starting_service": 4,
    "kill_simulator": 3,
    "freeze_service": 1,
    "stop_service": 1,
    "cancel_task": 2,
}
# Faults after which everything is as it was, and that no task may fail by.
DISTRIBUTED_SCARCITY: Mapping[str, int] = {
    "starve_of_descriptors": 3,
    "starve_of_memory": 2,
    "leave_log_unread": 2,
    "close_log": 1,
    "stop_database": 3,
    "set_clock_back": 2,
    "set_clock_forward": 2,
    "take_every_connection": 2,
    "forbid_writes": 2,
    "stay_silent": 2,
}
EMBEDDED_SCARCITY: Mapping[str, int] = {
    "starve_of_descriptors": 3,
    "starve_of_memory": 2,
    "stop_files_growing": 2,
    "leave_log_unread": 2,
    "close_log": 1,
    "move_data_away": 3,
    "set_clock_back": 2,
    "set_clock_forward": 2,
    "stay_silent": 2,
}
SCARCITY: Mapping[Mode, Mapping[str, int]] = {"distributed": DISTRIBUTED_SCARCITY, "embedded": EMBEDDED_SCARCITY}
DISK_FAULT = "fill_disk"
FAULTS: Mapping[Mode, Mapping[str, int]] = {"distributed": DISTRIBUTED_FAULTS, "embedded": EMBEDDED_FAULTS}
KILLS = frozenset(name for faults in FAULTS.values() for name in faults if name.startswith("kill_"))

# Faults of the one process that is the whole embedded service.
OF_SERVICE = frozenset({"kill_service", "kill_starting_service", "freeze_service", "stop_service"})
# In the span of such a fault no worker can be expected to take up work at once.
OUTAGES = OF_SERVICE | frozenset(
    {
        "kill_broker",
        "kill_postmaster",
        "kill_database_backend",
        "kill_every_worker",
        "end_database_sessions",
        "close_broker_connections",
        "purge_queue",
        "raise_memory_alarm",
        "flush_broker",
        "evict_queue",
        "destroy_group",
        DISK_FAULT,
    }
)


def faults_of(mode: Mode, broker: BrokerKind) -> Mapping[str, int]:
    """The faults of a service in this mode, on this broker."""
    return FAULTS[mode] if broker == "rabbitmq" else {**FAULTS[mode], **REDIS_FAULTS}


def full_plan(mode: Mode, seed: int, tasks: int, *, small_disk_mb: int = 0, broker: BrokerKind = "rabbitmq") -> Plan:
    """About 60 kills for a thousand tasks."""
    faults = {**faults_of(mode, broker), **({DISK_FAULT: 2} if small_disk_mb else {})}
    seconds = max(30.0, tasks * 0.15)
    return Plan(
        mode=mode,
        seed=seed,
        tasks=tasks,
        seconds=seconds,
        faults=faults,
        small_disk_mb=small_disk_mb,
        variant="-small-disk" if small_disk_mb else "",
        broker=broker,
    )


def quick_plan(mode: Mode, seed: int, tasks: int = 100, *, broker: BrokerKind = "rabbitmq") -> Plan:
    """Every kind once, in a time fit for a test."""
    return Plan(
        mode=mode,
        seed=seed,
        tasks=tasks,
        seconds=12.0,
        faults=dict.fromkeys(faults_of(mode, broker), 1),
        pauses=(0.3, 1.5),
        broker=broker,
        settle_seconds=60.0,
    )


def recovery_plan(seed: int, tasks: int, *, quick_clocks: bool = True, broker: BrokerKind = "rabbitmq") -> Plan:
    """Only workers and the broker are killed, one at a time with a rest after it: for figures rather than surprises.

    A third of the programs run long, so that there is mostly a worker to kill that holds one, and they come slowly
    enough that another is free to take its task over.
    """
    pauses = (6.0, 9.0) if quick_clocks else (20.0, 25.0)
    return Plan(
        mode="distributed",
        seed=seed,
        tasks=tasks,
        seconds=tasks * 2.5,
        faults={"kill_worker": 5, "kill_broker": 1},
        pauses=pauses,
        long_share=0.35,
        quick_clocks=quick_clocks,
        variant="-recovery" if quick_clocks else "-recovery-default-clocks",
        broker=broker,
    )


def scarcity_plan(mode: Mode, seed: int, tasks: int, *, broker: BrokerKind = "rabbitmq") -> Plan:
    """Nothing is killed for good: outages, clocks, and what processes and the database run short of.

    A task is tried as often as by default, so that one whose attempts these faults spend fails.
    """
    return Plan(
        mode=mode,
        seed=seed,
        tasks=tasks,
        seconds=max(60.0, tasks * 0.4),
        faults=SCARCITY[mode],
        pauses=(4.0, 8.0),
        long_share=0.2,
        patient=False,
        piped_logs=True,
        variant="-scarcity",
        broker=broker,
    )


def quick_scarcity_plan(mode: Mode, seed: int, tasks: int = 30) -> Plan:
    """Every kind of these once, with outages of little more than a lease."""
    return replace(
        scarcity_plan(mode, seed, tasks),
        seconds=8.0,
        faults=dict.fromkeys(SCARCITY[mode], 1),
        pauses=(0.3, 1.0),
        lasting=(0.5, 1.5),
        long_share=0.1,
        outage_seconds=1.5 * LEASE_SECONDS,
        settle_seconds=60.0,
    )


def settings(*, quick_clocks: bool = True, patient: bool = True) -> dict[str, str]:
    """Environment of every process of the service under test; if it is `patient`, tasks are tried again and again."""
    known = {name for names in variables().values() for name in names}
    return {
        "KETLINE_SIMULATOR_MEMORY_MB": "512",
        "KETLINE_SIMULATOR_THREADS": "1",
        "KETLINE_LOG_FORMAT": "json",
        "KETLINE_LOG_LEVEL": "info",
        **({"WORKER_MAX_RETRIES": "100"} if patient else {}),
        **{name: value for name, value in _IF_KNOWN.items() if patient and name in known},
        **{name: value for name, value in _CALLBACKS.items() if name in known},
        **(_QUICK_CLOCKS if quick_clocks else {}),
    }


def bounds_crashes(names: Sequence[str] = tuple(_IF_KNOWN)) -> bool:
    """Whether the service retries a task whose simulator was killed; before that, such a task fails."""
    known = {name for aliases in variables().values() for name in aliases}
    return all(name in known for name in names)
