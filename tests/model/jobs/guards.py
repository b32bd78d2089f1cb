"""The guards of a job on an external backend; each can be switched off in the model."""

from dataclasses import dataclass, fields, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class JobGuards:
    """Which guards are in force; the comment of each says where the code has it."""

    remote_before: bool = True  # remote.before: that a submission begins is committed before the call
    remote_id: bool = True  # remote.id: the id is committed before anything else is done with the job
    remote_fence: bool = True  # remote.fence: only the holder of the lease records the job
    remote_not_submitted: bool = True  # remote.not_submitted: a request that did not arrive is taken back
    remote_nothing_sent: bool = True  # remote.nothing_sent: but only if no earlier one may have arrived
    reattach_first: bool = True  # JobAttempt._ensure_job: an earlier submission is looked up before another
    unknown_fails: bool = True  # JobAttempt._find: nothing is submitted where nobody can tell
    outcome_fence: bool = True  # fence.*: only the holder of the lease records the outcome
    cancel_looks: bool = True  # RunOnBackend._cancel_job: the job without an id is looked up by its token
    cancel_settled: bool = True  # remote.settled: a job that is not found is looked for until none can arrive

    def without(self, *names: str) -> "JobGuards":
        """These guards with some removed."""
        return replace(self, **dict.fromkeys(names, False))


JOB_GUARDS = tuple(field.name for field in fields(JobGuards))
