"""How to tell the writing transactions of a service apart by the statements that it sends, with what they bind."""

import re
from collections.abc import Sequence
from enum import Enum


class Transaction(Enum):
    """A writing transaction of an adapter of the database, told by the first pattern that a statement of it matches."""

    # Before the next two, whose statements this transaction has too.
    ADD_LIMITED = r"SELECT projects\.quotas"
    # Before `ADD`, whose statement this transaction has too.
    ADD_AGAIN = r"SELECT idempotency_keys\.fingerprint"
    ADD = r"WITH bound AS"
    TAKE_DUE = r"WITH due AS.*tasks\.dispatch_count = "
    TAKE_OVERDUE = r"WITH due AS.*tasks\.dispatch_count > "
    POSTPONE = r"UPDATE tasks SET dispatch_due_at="
    CLAIM = r"WITH .*taken AS.*lease_owner="
    RENEW = r"UPDATE tasks SET lease_expires_at="
    FINISH = r"WITH ended AS.*result="
    FAIL = r"WITH ended AS.*error_line="
    RELEASE = r"UPDATE tasks SET current_status=\S+ available_at="
    DEFER = r"UPDATE tasks SET current_status=\S+ overtakes="
    RECALL = r"UPDATE tasks SET available_at="
    RETRY = r"UPDATE tasks SET current_status=CASE"
    REAP = r"WITH expired AS"
    ENQUEUE = r"UPDATE tasks SET rank_at="
    CANCEL = r"SELECT tasks\.current_status.*FOR UPDATE"
    # One statement records all that is known of a job; the status that it binds tells what is recorded.
    END_JOB = r"UPDATE tasks SET remote_id=(?!.*lease_token)"
    BEGIN_JOB = r"UPDATE tasks SET remote_id=.*\nsubmitting\n"
    RECORD_JOB = r"UPDATE tasks SET remote_id=.*\nqueued\n"
    FOLLOW_JOB = r"UPDATE tasks SET remote_id=.*\n(running|done)\n"
    DROP_JOB = r"UPDATE tasks SET remote_id="
    MEASURE = r"INSERT INTO project_shares"
    MOVE_SESSION = r"UPDATE sessions SET digest="

    @property
    def point(self) -> str:
        """The failpoint at its COMMIT."""
        return f"{self.name.lower()}.commit"

    def matches(self, statements: Sequence[str]) -> bool:
        return any(re.match(self.value, statement, re.DOTALL) for statement in statements)
