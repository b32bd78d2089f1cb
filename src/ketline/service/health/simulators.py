"""How many simulators of a worker are ready, and what keeps the others from starting."""

from dataclasses import dataclass, field

import structlog

from ketline.domain.worker import WorkerCondition

log = structlog.get_logger()


@dataclass(slots=True)
class SimulatorStatus:
    """Kept by a worker, and read by what tells others about it: heartbeat and readiness."""

    slots: int
    _ready: set[int] = field(default_factory=set, init=False)
    _problems: dict[int, str] = field(default_factory=dict, init=False)

    @property
    def condition(self) -> WorkerCondition:
        """What the worker says of itself; the problem is that of the slot whose simulator failed last."""
        return WorkerCondition(ready_slots=len(self._ready), problem=next(reversed(self._problems.values()), None))

    @property
    def problem(self) -> str | None:
        """Why no program can run here, None where one can or where the simulators are still being started."""
        return None if self._ready else self.condition.problem

    def started(self, slot: int) -> None:
        """The slot has a simulator."""
        self._ready.add(slot)
        if self._problems.pop(slot, None) is not None:
            log.info("slot.recovered", slot=slot, ready_slots=len(self._ready))

    def ended(self, slot: int) -> None:
        """The slot has none any more, because it stops or because its simulator failed."""
        self._ready.discard(slot)

    def failed(self, slot: int, problem: str) -> None:
        """The slot has none, and none could be started; told once, until it has one again."""
        self._ready.discard(slot)
        if slot not in self._problems:
            log.error("slot.without_simulator", slot=slot, error=problem, ready_slots=len(self._ready))
        self._problems.pop(slot, None)
        self._problems[slot] = problem
