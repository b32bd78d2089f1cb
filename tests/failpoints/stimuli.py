"""What client and world do in a case, so that the service comes to its failpoint; each arms it at the right moment."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from tests.chaos.run.programs import KnownTask, basis_state, wrong
from tests.failpoints.control import Fault
from tests.failpoints.remotes import FORGETFUL, RECOGNISING
from tests.failpoints.service import LEASE_SECONDS
from tests.failpoints.shares import require_measured_once, settled_share, struck_or_measured
from tests.failpoints.table import Stimulus
from tests.failpoints.trial import Trial, timing_out, untold

HUNG_CHILD_SECONDS = 1.0
JOB_SECONDS = 0.5
MEASURED_SECONDS = 2.0
# The lease that was renewed last is over.
OUTAGE_SECONDS = 1.3 * LEASE_SECONDS
OTHERS = 8192  # numbers of tasks that no case is about


async def submit(trial: Trial, number: int) -> None:
    trial.arm()
    if trial.case.row.step == "child" and trial.case.fault is Fault.HANG:
        # It ends at its time limit; on a busy machine the lease may be lost first, and the next attempt completes it.
        promise = await trial.submit(
            timing_out(basis_state(number)), "failed", "completed", timeout_s=HUNG_CHILD_SECONDS
        )
    else:
        promise = await trial.submit(basis_state(number))
    await trial.struck_or_ended(promise)


async def submit_again(trial: Trial, number: int) -> None:
    promise = await trial.submit(basis_state(number))
    trial.arm()
    await trial.repeat(promise)


async def submit_batch(trial: Trial, number: int) -> None:
    trial.arm()
    await trial.struck_or_ended(await trial.submit_batch(basis_state(number)))


async def submit_limited(trial: Trial, number: int) -> None:
    async with trial.limited():
        before = await trial.service.store.counted_shots()
        trial.arm()
        promise = await trial.submit(basis_state(number))
        assert await trial.service.store.counted_shots() == before + promise.known.shots
        await trial.struck_or_ended(promise)


async def measure(trial: Trial, number: int) -> None:
    before = await settled_share(trial)
    trial.service.control.hold()
    promise = await trial.submit(basis_state(number))
    await trial.worker_of(promise)
    await asyncio.sleep(MEASURED_SECONDS)
    trial.arm()
    trial.service.control.release()
    await struck_or_measured(trial, promise)
    trial.check = partial(require_measured_once, trial, promise, before)


async def submit_wrong(trial: Trial, number: int) -> None:
    trial.arm()
    await trial.struck_or_ended(await trial.submit(wrong(number), "failed"))


async def submit_long(trial: Trial, number: int) -> None:
    trial.service.control.hold()
    trial.arm()
    await trial.submit(basis_state(number))
    await trial.until_struck()


async def cancel(trial: Trial, number: int) -> None:
    trial.service.control.hold()
    promise = await trial.submit(basis_state(number), "cancelled")
    await trial.worker_of(promise)
    trial.arm()
    await trial.cancel(promise)


async def enqueue(trial: Trial, number: int) -> None:
    promise = await trial.submit(basis_state(number), hold=True)
    trial.arm()
    await trial.enqueue(promise)
    await trial.struck_or_ended(promise)


async def stop(trial: Trial, number: int) -> None:
    await _end_worker(trial, basis_state(number), signal.SIGTERM)


async def kill(trial: Trial, number: int) -> None:
    await _end_worker(trial, basis_state(number), signal.SIGKILL)


async def crash(trial: Trial, number: int) -> None:
    trial.service.control.arm("child.received", Fault.KILL)
    trial.arm()
    await trial.struck_or_ended(await trial.submit(basis_state(number)))


async def occupy(trial: Trial, number: int) -> None:
    trial.service.control.arm("admit", Fault.UNAVAILABLE)
    trial.arm()
    await trial.struck_or_ended(await trial.submit(basis_state(number)))


async def starve(trial: Trial, number: int) -> None:
    trial.service.control.arm("start", Fault.UNAVAILABLE)
    trial.arm()
    await trial.struck_or_ended(await trial.submit(basis_state(number)))


async def run(trial: Trial, number: int) -> None:
    await trial.registered(RECOGNISING)
    trial.arm()
    await trial.struck_or_ended(await trial.submit(basis_state(number), kind="run", backend=RECOGNISING))


async def run_untold(trial: Trial, number: int) -> None:
    # A submission that may have arrived is not repeated: nobody can tell, and the task says so.
    await trial.registered(FORGETFUL)
    trial.arm()
    promise = await trial.submit(untold(basis_state(number)), "completed", "failed", kind="run", backend=FORGETFUL)
    await trial.struck_or_ended(promise)


async def run_busy(trial: Trial, number: int) -> None:
    await trial.registered(RECOGNISING)
    trial.service.control.arm("submit", Fault.UNAVAILABLE)
    trial.arm()
    await trial.struck_or_ended(await trial.submit(basis_state(number), kind="run", backend=RECOGNISING))


async def cancel_run(trial: Trial, number: int) -> None:
    await trial.registered(RECOGNISING)
    trial.service.control.hold()
    promise = await trial.submit(basis_state(number), "cancelled", kind="run", backend=RECOGNISING)
    await trial.job_of(promise)
    trial.arm()
    await trial.cancel(promise)
    await trial.until_struck()


async def run_late(trial: Trial, number: int) -> None:
    await trial.registered(RECOGNISING)
    trial.service.control.hold()
    trial.arm()
    known = timing_out(basis_state(number))
    # A worker that comes later may find that the job is done.
    fields = {"kind": "run", "backend": RECOGNISING, "timeout_s": JOB_SECONDS}
    await trial.submit(known, "failed", "completed", **fields)
    await trial.until_struck()


async def outage(trial: Trial, number: int) -> None:
    trial.service.control.hold()
    promise = await trial.submit(basis_state(number))
    await trial.worker_of(promise)
    async with trial.service.outage():
        await asyncio.sleep(OUTAGE_SECONDS)
    trial.arm()
    await trial.struck_or_passed_on(promise)


async def outage_at_end(trial: Trial, number: int) -> None:
    trial.service.control.hold()
    promise = await trial.submit(basis_state(number))
    await trial.worker_of(promise)
    async with trial.service.outage():
        trial.service.control.release()
        await asyncio.sleep(OUTAGE_SECONDS)
    trial.arm()
    await trial.struck_or_ended(promise)


async def outage_and_kill(trial: Trial, number: int) -> None:
    trial.service.control.hold()
    promise = await trial.submit(basis_state(number))
    worker = await trial.worker_of(promise)
    async with trial.service.outage():
        trial.service.signal(worker, signal.SIGKILL)
        await asyncio.sleep(OUTAGE_SECONDS)
    trial.arm()
    await trial.struck_or_passed_on(promise)


async def reject(trial: Trial, number: int) -> None:
    trial.service.control.arm("publish.before", Fault.UNAVAILABLE)
    trial.arm()
    await trial.struck_or_ended(await trial.submit(basis_state(number)))


async def mislay(trial: Trial, number: int) -> None:
    # From here on a slot consumes and is idle: it must not be taken to hold the message.
    await trial.ended(await trial.submit(basis_state(OTHERS + number)))
    trial.service.control.arm("publish.before", Fault.ERROR)
    trial.arm()
    await trial.struck_or_ended(await trial.submit(basis_state(number)))


async def _end_worker(trial: Trial, known: KnownTask, number: signal.Signals) -> None:
    trial.service.control.hold()
    promise = await trial.submit(known)
    worker = await trial.worker_of(promise)
    trial.arm()
    trial.service.signal(worker, number)
    await trial.struck_or_passed_on(promise)


STIMULI: Mapping[Stimulus, Callable[[Trial, int], Awaitable[None]]] = {
    Stimulus.SUBMIT: submit,
    Stimulus.SUBMIT_AGAIN: submit_again,
    Stimulus.SUBMIT_BATCH: submit_batch,
    Stimulus.SUBMIT_LIMITED: submit_limited,
    Stimulus.SUBMIT_WRONG: submit_wrong,
    Stimulus.SUBMIT_LONG: submit_long,
    Stimulus.CANCEL: cancel,
    Stimulus.ENQUEUE: enqueue,
    Stimulus.STOP: stop,
    Stimulus.KILL: kill,
    Stimulus.CRASH: crash,
    Stimulus.MEASURE: measure,
    Stimulus.OCCUPY: occupy,
    Stimulus.REJECT: reject,
    Stimulus.MISLAY: mislay,
    Stimulus.STARVE: starve,
    Stimulus.RUN: run,
    Stimulus.RUN_UNTOLD: run_untold,
    Stimulus.RUN_BUSY: run_busy,
    Stimulus.CANCEL_RUN: cancel_run,
    Stimulus.RUN_LATE: run_late,
    Stimulus.OUTAGE: outage,
    Stimulus.OUTAGE_AT_END: outage_at_end,
    Stimulus.OUTAGE_AND_KILL: outage_and_kill,
}
