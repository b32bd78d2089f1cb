"""Rejected sign-ins on the pages: records them in the audit log, within bounds that no sender can exceed.

The sign-in pages call it. The submitted credentials are not recorded.
"""

from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum

from ketline.domain.access.audit import Action, Actor, AuditRecord
from ketline.domain.errors import ServiceUnavailable
from ketline.domain.operations import metrics as table
from ketline.ports.access.audit import AuditLog
from ketline.ports.clock import Clock
from ketline.ports.operations.metrics import Metrics, NoMetrics
from ketline.service.loop import Loop

INTERVAL_SECONDS = 60.0
# How many origins get separate entries in one interval.
MAX_ORIGINS = 10


class SignInMethod(StrEnum):
    """How a browser tried to sign in."""

    API_KEY = "API key"
    PROVIDER = "identity provider"


@dataclass(slots=True)
class RecordRejectedSignIns:
    """Records the first rejection of an origin at once, and the number of further rejections once a minute.

    So a process adds at most two entries a minute for each of `MAX_ORIGINS` origins, and one for all others.
    """

    audit: AuditLog
    clock: Clock
    metrics: Metrics = field(default_factory=NoMetrics)
    _further: dict[str | None, int] = field(default_factory=dict, init=False)
    _of_others: int = field(default=0, init=False)

    async def __call__(self, origin: str | None, method: SignInMethod) -> None:
        """Record or count a rejection; it is counted also while the database does not respond."""
        self.metrics.count(table.AUTHENTICATION_REFUSALS, Action.SIGN_IN_REFUSED)
        if origin in self._further:
            self._further[origin] += 1
        elif len(self._further) < MAX_ORIGINS:
            self._further[origin] = 0
            try:
                await self.audit.add(_rejected(origin, method))
            except ServiceUnavailable:
                self._further[origin] += 1
        else:
            self._of_others += 1

    async def run(self) -> None:
        """Record what was counted at intervals until cancelled, and then once more."""
        loop = Loop(
            self.record_counted,
            INTERVAL_SECONDS,
            delayed="sign_in.recording_delayed",
            crashed="sign_in.recording_crashed",
            sleep=self.clock.sleep,
        )
        try:
            await loop.run()
        finally:
            with suppress(ServiceUnavailable):
                await self.record_counted()

    async def record_counted(self) -> None:
        """Record how many rejections were counted for each origin; the next one of an origin is recorded at once.

        Raises:
            DatabaseUnavailable: the counts that were not recorded are kept.
        """
        for origin, count in list(self._further.items()):
            if count:
                await self.audit.add(_rejected(origin, f"{count} more"))
            self._further[origin] -= count
            if not self._further[origin]:
                del self._further[origin]
        if count := self._of_others:
            await self.audit.add(_rejected(None, f"{count} from other addresses"))
            self._of_others -= count


def _rejected(origin: str | None, notes: str) -> AuditRecord:
    return AuditRecord(action=Action.SIGN_IN_REFUSED, actor=Actor(origin=origin), notes=notes)
