"""Every example program through the whole service, in both modes, against independently known probabilities.

Each comparison raises a false alarm with a probability of at most 1e-9; with fewer than twenty comparisons a run,
a failure means a wrong distribution.
"""

import asyncio
from pathlib import Path

from tests.acceptance.conftest import Distributed, Embedded
from tests.acceptance.processes import Api
from tests.reference import EXAMPLES, EXPECTED, assert_counts_match

SHOTS = 4096


def test_every_example_has_known_probabilities() -> None:
    assert {path.name for path in EXAMPLES.glob("*.qasm")} == set(EXPECTED)


async def check_all(api: Api) -> None:
    programs = {path.name: path.read_text() for path in sorted(EXAMPLES.glob("*.qasm"))}
    ids = {name: await api.submit(program, shots=SHOTS) for name, program in programs.items()}
    tasks = await asyncio.gather(*(api.ended(task_id) for task_id in ids.values()))
    for name, task in zip(ids, tasks, strict=True):
        assert task["status"] == "completed", (name, task)
        assert task["result"]["shots"] == SHOTS
        assert sum(task["result"]["counts"].values()) == SHOTS
        assert_counts_match(task["result"]["counts"], EXPECTED[name], SHOTS)
        assert [entry["status"] for entry in task["status_history"]] == ["pending", "processing", "completed"]
        assert task["profile"]["qubits"] >= 2


async def test_embedded_runs_every_example(embedded: Embedded) -> None:
    await embedded.up()
    async with embedded.api() as api:
        await check_all(api)


async def test_distributed_runs_every_example(distributed: Distributed, tmp_path: Path) -> None:
    await distributed.start_api()
    await distributed.start_worker("worker-1")
    await distributed.start_worker("worker-2")
    async with distributed.api() as api:
        await check_all(api)
