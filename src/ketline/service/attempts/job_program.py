"""Writes the program of a task in a format that its backend takes; `job_attempt.py` submits it."""

from dataclasses import replace

from ketline.domain.attempts.claim import Claim
from ketline.domain.backends.backend_jobs import BackendDescription, BackendJob
from ketline.domain.circuits.program_format import Target
from ketline.domain.results.result import Profile
from ketline.domain.tasks.kind import TaskKind
from ketline.ports.tasks.runner import CircuitRunner


async def write_job(
    claim: Claim, description: BackendDescription, runner: CircuitRunner
) -> tuple[BackendJob, Profile | None]:
    """Return the job of a task, the same in each attempt so that results match, and a converted program's profile.

    Raises:
        ExecutionFailed: the program is not valid, or cannot be converted.
        MachineBusy: it cannot be converted now.
    """
    spec = claim.spec
    seed = spec.options.seed if description.takes_seed else None
    if not description.flat and spec.options.format in description.formats:
        job = BackendJob(
            program=spec.circuit, format=spec.options.format, shots=spec.shots, seed=seed, inputs=spec.inputs
        )
        return job, None
    form = description.formats[0]
    # The time limit is that of the job.
    conversion = replace(spec, kind=TaskKind.CONVERT, target=Target(form.value), time_limit_seconds=None)
    written = await runner.run(conversion, claim.project)
    assert written.conversion is not None  # the result of a conversion
    job = BackendJob(
        program=written.conversion.content,
        format=form,
        shots=spec.shots,
        registers=written.profile.registers,
        seed=seed,
    )
    return job, written.profile
