"""All guards, in the order in which a task meets them."""

from tests.guards.claims import CLAIMS
from tests.guards.processes import PROCESSES
from tests.guards.recovery import RECOVERY
from tests.guards.schedules import SCHEDULES

GUARDS = (*CLAIMS, *RECOVERY, *SCHEDULES, *PROCESSES)
