"""Formats the checker's findings as the generated part of `docs/model.md`."""

from collections.abc import Callable, Iterable, Iterator
from textwrap import wrap

from tests.model.checker import Counterexample, S
from tests.model.explorations import Verdict, refute, verify, verify_redundancy
from tests.model.guards import Guards
from tests.model.properties import invariants
from tests.model.removals import REDUNDANCIES, REMOVALS, Removal
from tests.model.scenarios import SCENARIOS, Scenario
from tests.model.state import Line, State

COLUMNS = 120
FAULTS = ("api_crash", "crash", "freeze", "cut", "wire", "broker_faults", "misroutes", "turns", "cancel", "embedded")

COUNTED = ("stops", "deferrals", "failovers", "outages")


def report() -> str:
    """The generated part of the document; the same text for the same model, whatever the machine."""
    return (
        "\n".join(
            [
                *_scenarios(),
                "",
                *removals_table("### One guard removed", REMOVALS, refute),
                "",
                *_redundancies(),
                "",
                *_traces(),
            ]
        )
        + "\n"
    )


def verified(scenario: Scenario, verdict: Verdict) -> str:
    """One row of the table of scenarios."""
    bounds = f"{scenario.tasks} / {scenario.workers} / {scenario.messages}"
    budgets = f"{scenario.max_attempts} / {scenario.crash_budget}"
    faults = [fault.replace("_", " ") for fault in FAULTS if getattr(scenario, fault)]
    faults += [f"{name} ({count})" for name in COUNTED if (count := getattr(scenario, name))]
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
    yield from wrapped(
        f"{states:,} states: the {count} invariants hold in each (those of keys and queues where there are several); "
        "every fair run finishes.",
        "",
    )


def removals_table(
    title: str, removals: Iterable[Removal], refuted: Callable[[Removal], Counterexample[S] | None]
) -> Iterator[str]:
    """A table of the properties that break without guards."""
    yield title
    yield ""
    yield "| removed | property that breaks | scenario | steps to it |"
    yield "|---|---|---|---|"
    for removal in removals:
        found = refuted(removal)
        length = len(found.trace) if found else "NOT FOUND"
        yield f"| {guard_names(removal)} | {removal.breaks} | {removal.scenario} | {length} |"


def _redundancies() -> Iterator[str]:
    yield "### Guards whose removal alone breaks nothing"
    yield ""
    for redundancy in REDUNDANCIES:
        verdicts = list(verify_redundancy(redundancy))
        states = sum(verdict.states for _, verdict in verdicts)
        broken = [verdict for _, verdict in verdicts if verdict.counterexample]
        outcome = "BROKEN" if broken else "every property holds"
        names = ", ".join(scenario.name for scenario, _ in verdicts)
        yield from wrapped(f"- `{redundancy.guard}`: {outcome} in {states:,} states ({names}): {redundancy.why}.", "  ")


def _traces() -> Iterator[str]:
    yield "### The shortest counterexamples"
    for removal in REMOVALS:
        yield ""
        yield f"Without {guard_names(removal)}: {removal.breaks}."
        yield ""
        yield "```text"
        found = refute(removal)
        yield from [*run_lines(found), *_end(found.state)] if found else ["no counterexample"]
        yield "```"


def guard_names(removal: Removal) -> str:
    """The guards of a removal, as code."""
    return " and ".join(f"`{guard}`" for guard in removal.guards)


def run_lines(found: Counterexample[S]) -> Iterator[str]:
    """The steps of a run, numbered, with those that may repeat for ever."""
    for number, label in enumerate(found.trace, 1):
        yield f"{number:2}. {label}"
    for label in found.loop:
        yield f" ∞. {label}"


def _end(state: State) -> Iterator[str]:
    """The state at the end of the run: each task's row, and the responses that clients have."""
    for task, row in enumerate(state.rows):
        if row.status:
            history = " → ".join(map(_line, row.history))
            mark = "due" if row.due else "not due"
            yield from wrapped(f" => task {task}: {history}; {mark}, messages: {state.queue[task]}", "    ")
        if state.requests[task].phase in ("acknowledged", "rejected"):
            yield f" => submit {task}: {state.requests[task].phase}{'' if row.status else ', and nothing is stored'}"


def wrapped(text: str, indent: str) -> Iterator[str]:
    """Prose in lines of at most 120 columns."""
    yield from wrap(text, COLUMNS, subsequent_indent=indent, drop_whitespace=True, break_on_hyphens=False)


def _line(line: Line) -> str:
    return f"{line.status}({line.attempt}, {line.token})" if line.token else line.status
