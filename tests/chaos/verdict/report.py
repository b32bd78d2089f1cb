"""A run as JSON, as a markdown page, and several runs as the table of docs/reliability.md."""

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.machine import commit
from tests.chaos.verdict.outcome import Outcome, kills_of

RESULTS = Path(__file__).parents[1] / "results"
_REPORTED = (
    "task.fenced_off",
    "task.lease_lost",
    "task.reaped",
    "task.handed_back",
    "task.not_recorded",
    "task.claim_delayed",
    "task.not_queued",
    "lease.not_renewed",
    "dispatch.delayed",
    "reap.delayed",
    "simulator.died",
    "queue.consumer_lost",
    "queue.consumer_stalled",
    "queue.message_set_aside",
)


def write(outcome: Outcome) -> Path:
    """Write both files, and give their path without suffix."""
    RESULTS.mkdir(exist_ok=True)
    figures = describe(outcome)
    target = RESULTS / outcome.name
    target.with_suffix(".json").write_text(json.dumps(figures, indent=1, default=str))
    target.with_suffix(".md").write_text(render(figures))
    return target


def describe(outcome: Outcome) -> dict[str, Any]:
    """The run's figures as plain values."""
    recoveries = outcome.recoveries
    return {
        "label": outcome.plan.label,
        "commit": commit(),
        "plan": asdict(outcome.plan),
        "features": asdict(outcome.features),
        "started_at": outcome.started_at.isoformat(),
        "seconds": round(outcome.seconds, 1),
        "settle_seconds": round(outcome.settle_seconds, 1),
        "tasks": outcome.plan.tasks,
        "acknowledged": outcome.acknowledged,
        "submit_retries": outcome.retries,
        "submits_unanswered": outcome.unanswered,
        "process_starts": outcome.starts,
        "statuses": outcome.statuses,
        "attempts": outcome.attempts,
        "faults": Counter(injection.kind for injection in outcome.injections),
        "kills": outcome.kills,
        "kills_by_kind": _kills(outcome),
        "missed": Counter(miss.partition(":")[0] for miss in outcome.missed),
        "misses": outcome.missed,
        "events": {event: outcome.journal.events.get(event, 0) for event in _REPORTED},
        "crashes": outcome.journal.crashes,
        "tracebacks": outcome.journal.tracebacks,
        "recoveries": [asdict(recovery) for recovery in recoveries],
        "broker_seconds": outcome.broker_seconds,
        "completions": outcome.completions,
        "violations": [asdict(violation) for violation in outcome.violations],
        "strikes": [asdict(injection) for injection in outcome.injections],
    }


def render(figures: Mapping[str, Any]) -> str:
    """One run as a page."""
    violations = [f"- {entry['invariant']}: {entry['subject']}: {entry['detail']}" for entry in figures["violations"]]
    return "\n".join(
        [
            f"# Chaos run, {figures['label']}, seed {figures['plan']['seed']}",
            "",
            summarize([figures]),
            "",
            *_list("Faults", figures["faults"]),
            *_list("Tasks by status", figures["statuses"]),
            *_list("Logged", figures["events"]),
            *_list("Unexpected errors logged", figures["crashes"]),
            *_list("Faults that found nothing to hit", figures["missed"]),
            f"Completed in each ten seconds: {' '.join(map(str, figures['completions']))}",
            "",
            "## Violations",
            "",
            *(violations or ["None."]),
            "",
        ]
    )


def summarize(runs: Sequence[Mapping[str, Any]]) -> str:
    """Runs of a kind added up, as a markdown table."""
    labels = sorted({run["label"] for run in runs})
    columns = [_column([run for run in runs if run["label"] == label]) for label in labels]
    rows = [[label, *(column[label] for column in columns)] for label in columns[0]]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [["", *labels], ["---"] * (1 + len(labels)), *rows])


def percentile(values: Iterable[float], share: float) -> float:
    """The nearest-rank percentile; NaN of nothing."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


def _column(runs: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    violations = Counter(entry["invariant"] for run in runs for entry in run["violations"])
    recoveries = [entry for run in runs for entry in run["recoveries"]]
    first = [entry for entry in recoveries if entry["undisturbed"] and not entry["losses"]]
    return {
        "runs": str(len(runs)),
        "commits": ", ".join(sorted({run["commit"] for run in runs})),
        "seeds": ", ".join(str(run["plan"]["seed"]) for run in runs),
        "tasks acknowledged": _total(runs, "tasks"),
        "kills": _total(runs, "kills"),
        "kills by kind": _pairs(_merged(runs, "kills_by_kind")),
        "other faults": _pairs({k: v for k, v in _merged(runs, "faults").items() if not k.startswith("kill_")}),
        "attempts": _total(runs, "attempts"),
        "late writes fenced off": str(_merged(runs, "events")["task.fenced_off"]),
        "tasks taken from a killed worker": str(len(recoveries)),
        "… taken away after, p50 / p99 / max": _seconds([entry["reaped_seconds"] for entry in first]),
        "… running again after, p50 / p99 / max": _seconds([entry["resumed_seconds"] for entry in first]),
        "… whatever else was down, p50 / p99 / max": _seconds([entry["resumed_seconds"] for entry in recoveries]),
        "broker back to first task running": _seconds([wait for run in runs for wait in run["broker_seconds"]]),
        "last fault to last task ended, max": f"{max(run['settle_seconds'] for run in runs):.1f} s",
        "unexpected errors logged": _pairs(_merged(runs, "crashes")),
        "violations": _pairs(violations) if violations else "**0**",
    }


def _kills(outcome: Outcome) -> Counter[str]:
    kills: Counter[str] = Counter()
    for injection in outcome.injections:
        if number := kills_of(injection):
            kills[injection.kind] += number
    return kills


def _merged(runs: Iterable[Mapping[str, Any]], field: str) -> Counter[str]:
    merged: Counter[str] = Counter()
    for run in runs:
        merged.update(run[field])
    return merged


def _total(runs: Iterable[Mapping[str, Any]], field: str) -> str:
    return f"{sum(run[field] for run in runs):,}"


def _pairs(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "none"


def _seconds(values: Sequence[float]) -> str:
    if not values:
        return "none"
    return " / ".join(f"{percentile(values, share):.2f}" for share in (0.5, 0.99, 1)) + f" s ({len(values)})"


def _list(title: str, counts: Mapping[str, int]) -> list[str]:
    return [f"## {title}", "", *(f"- {name}: {count}" for name, count in sorted(counts.items()) if count), ""]
