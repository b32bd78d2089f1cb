"""Formats what the checker finds about jobs on external backends, for `docs/model.md`."""

from collections.abc import Iterator

from tests.model.checker import Counterexample
from tests.model.jobs.explorations import refute_jobs, verify_jobs
from tests.model.jobs.properties import job_invariants
from tests.model.jobs.removals import JOB_REMOVALS
from tests.model.jobs.scenarios import JOB_SCENARIOS
from tests.model.jobs.state import MISSING, NO_JOB, SUBMITTING, State
from tests.model.report import guard_names, removals_table, run_lines, wrapped

_RECORDED = {NO_JOB: "no job", SUBMITTING: "a submission that began", MISSING: "no job that was found"}


def job_report() -> Iterator[str]:
    """The lines of the document about jobs."""
    yield from _scenarios()
    yield ""
    yield from removals_table("### One guard of jobs removed", JOB_REMOVALS, refute_jobs)
    yield ""
    yield "### The shortest counterexamples of jobs"
    for one in JOB_REMOVALS:
        yield from ["", *wrapped(f"Without {guard_names(one)}: {one.breaks}.", ""), "", "```text"]
        found = refute_jobs(one)
        yield from [*run_lines(found), *_end(found)] if found else ["no counterexample"]
        yield "```"


def _scenarios() -> Iterator[str]:
    yield "### Jobs on external backends: all guards in force"
    yield ""
    yield "| scenario | about | states | steps | properties |"
    yield "|---|---|---|---|---|"
    states = 0
    for scenario in JOB_SCENARIOS:
        graph, counterexample = verify_jobs(scenario)
        states += len(graph.states)
        outcome = "holds" if counterexample is None else f"BROKEN: {counterexample.broken}"
        yield f"| {scenario.name} | {scenario.about} | {len(graph.states):,} | {graph.taken.total():,} | {outcome} |"
    yield ""
    count = len(job_invariants(JOB_SCENARIOS[0]))
    yield f"{states:,} states: the {count} invariants hold in each; every fair run finishes."


def _end(found: Counterexample[State]) -> Iterator[str]:
    """The task's row and its jobs at the end of the run."""
    row, jobs = found.state.row, found.state.jobs
    job = f"job {row.job}" if row.job >= 0 else _RECORDED[row.remote]
    at_backend = ", ".join(f"job {number} {status}" for number, status in enumerate(jobs)) or "nothing"
    yield f" => task: {row.status}{f' ({row.cause})' if row.cause else ''}, with {job}; at the backend: {at_backend}"
