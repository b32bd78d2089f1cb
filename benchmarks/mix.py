"""The rate of programs that take longer than Bell, and of a mix of programs, beside Aer alone on the same cores."""

from collections.abc import Callable, Sequence

from benchmarks.bare import measure_bare
from benchmarks.deployment import Deployment
from benchmarks.figures import BareRound, LoadRound, MixFigures
from benchmarks.load import measure_rounds
from benchmarks.workloads import BELL_ONLY, WORKLOADS
from ketline.config import available_cores


async def measure_mix(
    deployment: Deployment, *, rounds: int, seconds: float, seed: int, on_result: Callable[[str], None]
) -> Sequence[MixFigures]:
    """Rounds of each workload but Bell alone, of the bare loop and of the service in turns.

    `on_result` is called with a line for each workload.
    """
    found = []
    for workload in WORKLOADS:
        if workload != BELL_ONLY:
            found.append(await _measure_workload(deployment, workload, rounds=rounds, seconds=seconds, seed=seed))
            on_result(f"{deployment.mode}, {workload}: {found[-1].ratio:.2f} of Aer alone")
    return found


async def _measure_workload(
    deployment: Deployment, workload: str, *, rounds: int, seconds: float, seed: int
) -> MixFigures:
    bare: list[BareRound] = []
    loads: list[LoadRound] = []
    texts = WORKLOADS[workload]()
    for _ in range(rounds):
        bare.append(await measure_bare(processes=available_cores(), seconds=seconds, seed=seed, workload=workload))
        loads += await measure_rounds(deployment, rounds=1, seconds=seconds, texts=texts)
    return MixFigures(mode=deployment.mode, workload=workload, bare=bare, loads=loads)
