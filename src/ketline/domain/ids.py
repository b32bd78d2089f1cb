"""The ids that name tasks, workers, leases and requests."""

from typing import NewType
from uuid import UUID

TaskId = NewType("TaskId", UUID)


LeaseToken = NewType("LeaseToken", UUID)


WorkerId = NewType("WorkerId", str)


CorrelationId = NewType("CorrelationId", str)
