"""The scenarios of jobs on external backends: what the backend can do, and which faults strike."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class JobScenario:
    """Bounds of one exploration. Faults that are on may strike any number of times.

    `recognises`: the backend gives a repeated token the same job. `finds`: it tells which job a token has.
    """

    name: str
    about: str
    recognises: bool = False
    finds: bool = False
    max_attempts: int = 2
    crash: bool = True  # workers die at any step
    lost_answers: bool = True  # the answer to a submission, or the submission, is lost, or arrives late
    unavailable: bool = True  # the backend takes no jobs
    stop: bool = True  # workers are stopped, and hand their tasks back
    cancel: bool = True


JOB_SCENARIOS = (
    JobScenario(name="blind", about="a backend that neither recognises nor finds tokens"),
    JobScenario(
        name="finds", about="a backend that finds jobs by their tokens, but runs a repeated one twice", finds=True
    ),
    JobScenario(name="recognises", about="a backend that recognises tokens, but does not find them", recognises=True),
    JobScenario(name="both", about="a backend that recognises and finds tokens", recognises=True, finds=True),
)
JOB_SCENARIOS_BY_NAME = {scenario.name: scenario for scenario in JOB_SCENARIOS}
