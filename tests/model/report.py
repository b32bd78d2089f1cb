"""Formats the checker's findings as the generated part of `docs/model.md`."""

from collections.abc import Iterator
from textwrap import wrap

from tests.model.checker import Counterexample
from tests.model.explorations import Verdict, refute, verify, verify_redundancy
from tests.model.guards import Guards
from tests.model.properties import invariants
from tests.model.removals import REDUNDANCIES, REMOVALS, Removal
from tests.model.scenarios import SCENARIOS, Scenario
from tests.model.state import Line, State

COLUMNS = 120
FAULTS = ("api_crash", "crash", "freeze", "cut", "wire", "broker_faults", "cancel", "embedded")


def report() -> str:
    """The generated part of the document; the same text for the same model, whatever the machine."""
    return "\n".join([*_scenarios(), "", *_removals(), "", *_redundancies(), "", *_traces()]) + "\n"


def verified(scenario: Scenario, verdict: Verdict) -> str:
    """One row of the table of scenarios."""
    bounds = f"{scenario.tasks} / {scenario.workers} / {scenario.messages}"
    budgets = f"{scenario.max_attempts} / {scenario.crash_budget}"
    faults = [fault.replace("_", " ") for fault in FAULTS if getattr(scenario, fault)]
    faults += [
        f"{name} ({count})" for name in ("stops", "deferrals", "failovers") if (count := getattr(scenario, name))
    ]
    outcome = "holds" if verdict.counterexample is None else f"BROKEN: {verdict.counterexample.broken}"
    return (
        f"| {scenario.name} | {scenario.about} | {bounds} | {budgets} | {', '.join(faults)} "
        f"| {verdict.states:,} | {verdict.steps:,} | {outcome} |"
    )


def _scenarios() -> Iterator[str]:
    yield "### All guards in force"
    yield ""
    yield "| scenario | about | size | budgets | faults | states | steps | properties |"
    yield "|---|---|---|---|---|---|---|---|"
    states = 0
    for scenario in SCENARIOS:
        verdict = verify(scenario, Guards())
        states += verdict.states
        yield verified(scenario, verdict)
    yield ""
    count = len({name for scenario in SCENARIOS for name in invariants(scenario)})
    yield f"{states:,} states: the {count} invariants hold in each (keys in `submit`); every fair run finishes."


def _removals() -> Iterator[str]:
    yield "### One guard removed"
    yield ""
    yield "| removed | property that breaks | scenario | steps to it |"
    yield "|---|---|---|---|"
    for removal in REMOVALS:
        found = refute(removal)
        length = len(found.trace) if found else "NOT FOUND"
        yield f"| {_names(removal)} | {removal.breaks} | {removal.scenario} | {length} |"


def _redundancies() -> Iterator[str]:
    yield "### Guards whose removal alone breaks nothing"
    yield ""
    for redundancy in REDUNDANCIES:
        verdicts = list(verify_redundancy(redundancy))
        states = sum(verdict.states for _, verdict in verdicts)
        broken = [verdict for _, verdict in verdicts if verdict.counterexample]
        outcome = "BROKEN" if broken else "every property holds"
        names = ", ".join(scenario.name for scenario, _ in verdicts)
        yield from _wrapped(
            f"- `{redundancy.guard}`: {outcome} in {states:,} states ({names}): {redundancy.why}.", "  "
        )


def _traces() -> Iterator[str]:
    yield "### The shortest counterexamples"
    for removal in REMOVALS:
        yield ""
        yield f"Without {_names(removal)}: {removal.breaks}."
        yield ""
        yield "```text"
        found = refute(removal)
        yield from _trace(found) if found else ["no counterexample"]
        yield "```"


def _names(removal: Removal) -> str:
    return " and ".join(f"`{guard}`" for guard in removal.guards)


def _trace(found: Counterexample[State]) -> Iterator[str]:
    for number, label in enumerate(found.trace, 1):
        yield f"{number:2}. {label}"
    for label in found.loop:
        yield f" ∞. {label}"
    yield from _end(found.state)


def _end(state: State) -> Iterator[str]:
    """The state at the end of the run: each task's row, and the responses that clients have."""
    for task, row in enumerate(state.rows):
        if row.status:
            history = " → ".join(map(_line, row.history))
            mark = "due" if row.due else "not due"
            yield from _wrapped(f" => task {task}: {history}; {mark}, messages: {state.queue[task]}", "    ")
        if state.requests[task].phase in ("acknowledged", "rejected"):
            yield f" => submit {task}: {state.requests[task].phase}{'' if row.status else ', and nothing is stored'}"


def _wrapped(text: str, indent: str) -> Iterator[str]:
    yield from wrap(text, COLUMNS, subsequent_indent=indent, drop_whitespace=True, break_on_hyphens=False)


def _line(line: Line) -> str:
    return f"{line.status}({line.attempt}, {line.token})" if line.token else line.status
