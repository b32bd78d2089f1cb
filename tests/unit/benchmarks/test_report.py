"""The page of a run has what was measured, and nothing of what was not."""

from dataclasses import replace

from benchmarks.doors.figures import DoorComparison, DoorsFigures, Time
from benchmarks.figures import (
    READER,
    BacklogFigures,
    BareRound,
    Figures,
    LoadRound,
    Machine,
    MemoryFigures,
    MixFigures,
    OverheadFigures,
    OverheadRound,
    ScalingFigures,
    ServiceFigures,
    Spread,
    StreamsFigures,
    StreamTotals,
    SubmitPauseFigures,
    WorkRound,
)
from benchmarks.report import render, summarize

SPREAD = Spread.of([0.001, 0.002, 0.0475])
NOTHING = Figures(
    machine=Machine(started_at="now", processor="one", cores=2, memory_gib=4.0, load_average=0.0, versions={}),
    bare=[],
    services=[],
    naive=[],
    backlog=[],
    scaling=None,
    overhead=[],
    memory=[],
    streams=[],
    doors=None,
    mix=[],
    pause=None,
    submit_pauses=[],
    start=None,
    frontend=None,
    counts=None,
    suite=None,
    cost=None,
)


def load(tasks: int) -> LoadRound:
    return LoadRound(
        tasks=tasks, unfinished=0, seconds=2.0, submit_seconds=1.0, cpu_ms={"api": 1.25, "worker": 4.0}, others=0.25
    )


def work(tasks: int, workers: int = 1) -> WorkRound:
    return WorkRound(workers=workers, tasks=tasks, seconds=2.0, cpu_ms=6.5, others=0.25)


SERVICE = ServiceFigures(
    mode="distributed", rounds=[load(600)], latency=SPREAD, recorded=SPREAD, idle_stages={}, load_stages={}
)


def rows(page: str, first: str) -> list[list[str]]:
    """The cells of the rows that begin with a cell."""
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line[:1] == "|"]
    return [row for row in cells if row[0] == first]


def test_page_of_nothing_has_no_table() -> None:
    assert "|" not in render(NOTHING)
    assert summarize(NOTHING) == {}


def test_service_is_compared_with_the_naive_design() -> None:
    figures = replace(NOTHING, services=[SERVICE], naive=[load(20)])
    assert summarize(figures) == {"distributed/naive": 30.0}
    assert rows(render(figures), "distributed")[0] == ["distributed", "300", "", "", "", "30.0", "25%"]


def test_service_is_compared_with_the_bare_loop() -> None:
    figures = replace(
        NOTHING, services=[SERVICE], bare=[BareRound(processes=2, tasks_per_second=1000.0, cpu_ms=2.0, others=0.0)]
    )
    assert summarize(figures) == {"distributed/bare": 0.3}
    assert rows(render(figures), "distributed")[0] == ["distributed", "300", "0.300", "3.33", "2.33", "", "25%"]


def test_redis_is_compared_with_rabbitmq() -> None:
    on_redis = replace(SERVICE, mode="redis", rounds=[load(450)])
    assert summarize(replace(NOTHING, services=[on_redis])) == {}
    assert summarize(replace(NOTHING, services=[SERVICE, on_redis])) == {"redis/distributed": 0.75}


def test_backlog_has_its_ratios() -> None:
    distributed = BacklogFigures(
        mode="distributed",
        stored=1_000_000,
        waiting=100_000,
        empty=[load(200)],
        full=[load(190)],
        few=[work(100)],
        many=[work(94)],
    )
    found = rows(render(replace(NOTHING, backlog=[distributed])), "distributed")
    assert found == [
        ["distributed", "load", "none at first", "100", "", "5.25", "25%"],
        ["distributed", "load", "1,000,000 that ended", "95", "0.95", "5.25", "25%"],
        ["distributed", "work on what waits", "few waiting", "50", "", "6.50", "25%"],
        ["distributed", "work on what waits", "100,000 waiting", "47", "0.94", "6.50", "25%"],
    ]


def test_mode_without_waiting_tasks_has_two_rows() -> None:
    embedded = BacklogFigures(
        mode="embedded", stored=10, waiting=0, empty=[load(200)], full=[load(190)], few=[], many=[]
    )
    assert len(rows(render(replace(NOTHING, backlog=[embedded])), "embedded")) == 2


def test_scaling_has_how_many_times_faster_workers_are() -> None:
    scaling = ScalingFigures(task_seconds=0.25, slots=2, rounds=[work(16), work(62, workers=4)])
    found = rows(render(replace(NOTHING, scaling=scaling)), "4")
    assert found == [["4", "62", "31.00", "3.88", "25%"]]


def test_overhead_ends_with_its_medians() -> None:
    entries = [
        OverheadRound(bare=10.0, simulator=10.0, recorded=10.0, client=client) for client in (10.01, 10.5, 10.02)
    ]
    overhead = OverheadFigures(mode="embedded", others=0.25, rounds=entries)
    found = rows(render(replace(NOTHING, overhead=[overhead])), "embedded")
    assert len(found) == 4
    assert found[-1] == ["embedded", "median", "", "", "", "", "0.20%", "0.20%", "25%"]


def test_memory_has_peak_and_rest() -> None:
    memory = MemoryFigures(mode="distributed", process="api", count=1, tasks=7, peak_mb=95.4, resident_mb=90.5)
    found = rows(render(replace(NOTHING, memory=[memory])), "distributed")
    assert found == [["distributed", "api", "1", "7", "95", "90"]]


def test_ways_into_the_service_have_their_ratios() -> None:
    comparison = DoorComparison(
        door="REST",
        work="200 Bell circuits",
        alternative="a loop over Aer",
        rounds=3,
        ketline=Time(wall_seconds=0.25, processor_seconds=0.5),
        other=Time(wall_seconds=0.5, processor_seconds=0.25),
    )
    doors = DoorsFigures(mode="embedded", comparisons=[comparison], others=0.25)
    page = render(replace(NOTHING, doors=doors))
    assert "Ways into the embedded service: medians, seconds (others had 25%)" in page
    assert rows(page, "REST")[0][2:] == ["a loop over Aer", "0.50", "2.00", "0.2500", "0.5000", "0.5000", "0.2500"]


def test_longest_pause_of_submits_is_shown() -> None:
    pause = SubmitPauseFigures(
        mode="embedded", program_bytes=1_048_000, submits=20, others=0.25, idle=SPREAD, submitting=SPREAD
    )
    idle, submitting = rows(render(replace(NOTHING, submit_pauses=[pause])), "embedded")
    assert idle == ["embedded", "idle", "2.00", "47.50", "47.50", "25%"]
    assert submitting[1] == "20 programs of 1,048,000 bytes"


def test_streams_have_the_rates_with_and_without_them() -> None:
    followed = replace(load(300), cpu_ms={"api": 4.5, READER: 2.25})
    totals = [StreamTotals(open=300, bytes=10**9, events=1200)]
    streams = StreamsFigures(mode="embedded", streams=300, without=[load(400)], followed=[followed], totals=totals)
    assert rows(render(replace(NOTHING, streams=[streams])), "embedded") == [
        ["embedded", "0", "200", "", "5.25", "", "", "25%"],
        ["embedded", "300", "150", "0.75", "4.50", "2.25", "1,200", "25%"],
    ]


def test_mix_has_the_ratios_of_rates_and_of_processor_time() -> None:
    bare = BareRound(processes=2, tasks_per_second=50.0, cpu_ms=21.0, others=0.0)
    mix = MixFigures(mode="distributed", workload="QFT 16", bare=[bare], loads=[load(400)])
    found = rows(render(replace(NOTHING, mix=[mix])), "distributed")
    times = ["50", "200", "4.00", "21.00", "5.25", "4.00"]
    assert found == [["distributed", "QFT 16", *times, "api 1.25, worker 4.00", "25%"]]
