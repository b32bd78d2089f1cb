"""The figures of the ways into the service as a section of the markdown page."""

from benchmarks.doors.figures import DoorComparison, DoorsFigures
from benchmarks.tables import table


def doors_section(figures: DoorsFigures) -> str:
    title = f"Ways into the {figures.mode} service: medians, seconds (others had {figures.others:.0%})"
    heads = ["way", "work", "beside", "time ratio", "processor ratio", "Ketline", "beside it"]
    heads += ["processor, Ketline", "beside it"]
    return table(title, heads, map(_row, figures.comparisons))


def summary_of(one: DoorComparison) -> str:
    """The ratios of a way in one line."""
    return f"{one.door}, {one.work}: {one.ratio:.2f} of the time, {one.processor_ratio:.2f} of the processor time"


def _row(one: DoorComparison) -> list[str]:
    times = (one.ketline, one.other)
    return [
        one.door,
        one.work,
        one.alternative,
        f"{one.ratio:.2f}",
        f"{one.processor_ratio:.2f}",
        *(f"{time.wall_seconds:.4f}" for time in times),
        *(f"{time.processor_seconds:.4f}" for time in times),
    ]
