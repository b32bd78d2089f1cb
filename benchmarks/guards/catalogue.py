"""All guards, in the order in which a task meets them."""

from benchmarks.guards.fences import FENCES
from benchmarks.guards.keeping import KEEPING
from benchmarks.guards.processes import PROCESSES
from benchmarks.guards.recovery import RECOVERY

GUARDS = (*FENCES, *RECOVERY, *KEEPING, *PROCESSES)
