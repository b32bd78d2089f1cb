"""The state of a worker's simulators: how many are ready, and why the others could not be started."""

from dataclasses import dataclass, field

import structlog

from ketline.domain.attempts.worker import WorkerCondition

log = structlog.get_logger()


@dataclass(slots=True)
class SimulatorStatus:
    """Updated by the worker for each slot; read by its heartbeat and by health checks."""

    slots: int
    _ready: set[int] = field(default_factory=set, init=False)
    _problems: dict[int, str] = field(default_factory=dict, init=False)

    @property
    def condition(self) -> WorkerCondition:
        """The number of ready slots, and the problem of the slot that failed last."""
        return WorkerCondition(ready_slots=len(self._ready), problem=next(reversed(self._problems.values()), None))

    @property
    def problem(self) -> str | None:
        """Why no program can run here; None when one can, or while the simulators are being started."""
        return None if self._ready else self.condition.problem

    def started(self, slot: int) -> None:
        """Record that the slot has a simulator."""
        self._ready.add(slot)
        if self._problems.pop(slot, None) is not None:
            log.info("slot.recovered", slot=slot, ready_slots=len(self._ready))

    def ended(self, slot: int) -> None:
        """Record that the slot's simulator ended, because the worker stops or the simulator failed."""
        self._ready.discard(slot)

    def failed(self, slot: int, problem: str) -> None:
        """Record that no simulator could be started for the slot; logged once until one starts again."""
        self._ready.discard(slot)
        if slot not in self._problems:
            log.error("slot.without_simulator", slot=slot, error=problem, ready_slots=len(self._ready))
        self._problems.pop(slot, None)
        self._problems[slot] = problem
