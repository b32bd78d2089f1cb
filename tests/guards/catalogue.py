"""All guards, in the order in which a task meets them."""

from tests.guards.claims import CLAIMS
from tests.guards.history import HISTORY
from tests.guards.processes import PROCESSES
from tests.guards.projects import PROJECTS
from tests.guards.quotas import QUOTAS
from tests.guards.recovery import RECOVERY
from tests.guards.schedules import SCHEDULES
from tests.guards.usage import USAGE
from tests.guards.webhooks import WEBHOOKS

GUARDS = (*CLAIMS, *RECOVERY, *SCHEDULES, *PROJECTS, *QUOTAS, *USAGE, *HISTORY, *WEBHOOKS, *PROCESSES)
