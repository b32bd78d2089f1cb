"""The embedded service from start to stop, through kills, and `ketline run` beside it."""

import asyncio
import json
import signal
import time
from pathlib import Path

from tests.acceptance.conftest import Embedded
from tests.acceptance.processes import Fleet, KetlineProcess, eventually, kill_at_work
from tests.acceptance.programs import BELL, ENDLESS, long_program


def alive(pids: list[int]) -> list[int]:
    return [pid for pid in pids if Path(f"/proc/{pid}").exists()]


async def test_interrupt_stops_cleanly_and_leaves_no_process(embedded: Embedded) -> None:
    process = await embedded.up()
    async with embedded.api() as api:
        await api.ended(await api.submit(BELL))
    children = process.children()
    assert children
    assert await process.stop(signal.SIGINT) == 0
    assert not alive(children)


async def test_accepted_task_finishes_after_a_kill_and_a_restart(embedded: Embedded) -> None:
    process = await embedded.up(WORKER_RETRY_DELAY_S="0.1")
    async with embedded.api() as api:
        running = await api.submit(long_program(rounds=120))
        await api.reached(running, "processing")
        waiting = [await api.submit(BELL) for _ in range(5)]
    children = process.children()
    await process.kill()

    async def orphans_gone() -> bool:
        return not alive(children)

    await eventually(orphans_gone, "simulators that die with their parent")
    await embedded.up(WORKER_RETRY_DELAY_S="0.1")
    async with embedded.api() as api:
        for task_id in waiting:
            assert (await api.ended(task_id))["status"] == "completed"
        task = await api.ended(running)
    assert task["status"] == "completed"
    assert [entry["status"] for entry in task["status_history"]] == [
        "pending",
        "processing",
        "pending",
        "processing",
        "completed",
    ]


async def test_stop_beyond_the_grace_time_keeps_the_task_for_the_next_start(embedded: Embedded) -> None:
    process = await embedded.up(KETLINE_SHUTDOWN_GRACE_S="0.2")
    async with embedded.api() as api:
        task_id = await api.submit(ENDLESS)
        await api.reached(task_id, "processing")
    assert await process.stop() == 0
    await embedded.up(TASK_TIME_LIMIT_S="1", TASK_SOFT_TIME_LIMIT_S="1")
    async with embedded.api() as api:
        task = await api.ended(task_id)
    assert (task["status"], task["error"]["code"]) == ("failed", "timeout")
    assert [entry["status"] for entry in task["status_history"]][-3:] == ["pending", "processing", "failed"]


async def test_second_signal_ends_the_process_at_once(embedded: Embedded) -> None:
    process = await embedded.up(KETLINE_SHUTDOWN_GRACE_S="300")
    async with embedded.api() as api:
        await api.reached(await api.submit(ENDLESS), "processing")
    children = process.children()
    process.process.send_signal(signal.SIGTERM)
    await process.logged("worker.stopping")
    asked = time.monotonic()
    assert await process.stop() == 128 + signal.SIGTERM
    assert time.monotonic() - asked < 60, "long before the grace time is over"

    async def orphans_gone() -> bool:
        return not alive(children)

    await eventually(orphans_gone, "simulators that die with their parent")


async def test_endless_program_times_out_and_its_worker_goes_on(embedded: Embedded) -> None:
    await embedded.up(TASK_TIME_LIMIT_S="1", TASK_SOFT_TIME_LIMIT_S="1", KETLINE_WORKER_SLOTS="1")
    async with embedded.api() as api:
        endless = await api.submit(ENDLESS)
        bell = await api.submit(BELL)
        task = await api.ended(endless)
        assert (task["status"], task["error"]["code"]) == ("failed", "timeout")
        assert "1 s" in task["error"]["message"]
        assert (await api.ended(bell))["status"] == "completed"


async def test_killed_simulator_costs_an_attempt_and_the_program_is_run_again(embedded: Embedded) -> None:
    process = await embedded.up(KETLINE_WORKER_SLOTS="1", WORKER_RETRY_DELAY_S="0.1")
    async with embedded.api() as api:
        task_id = await api.submit(long_program(rounds=120))
        await api.reached(task_id, "processing")
        await kill_at_work(process)
        task = await api.ended(task_id)
    assert task["status"] == "completed"
    interrupted = task["status_history"][2]
    assert (interrupted["status"], interrupted["cause"]) == ("pending", "simulation_error")
    assert "SIGKILL" in interrupted["notes"]
    assert interrupted["duration_seconds"] > 0
    assert task["status_history"][-1]["attempt"] == 2


async def test_program_that_kills_its_process_ends_and_its_worker_goes_on(embedded: Embedded) -> None:
    process = await embedded.up(KETLINE_WORKER_SLOTS="1", WORKER_RETRY_DELAY_S="0.1", KETLINE_MAX_CRASHES="2")
    async with embedded.api() as api:
        poison = await api.submit(ENDLESS)
        for attempt in (1, 2):
            await process.logged("task.started", task_id=poison, attempt=attempt)
            await kill_at_work(process)
        task = await api.ended(poison)
        assert (task["status"], task["error"]["code"]) == ("failed", "worker_lost")
        assert "simulator process" in task["error"]["message"]
        assert (await api.ended(await api.submit(BELL)))["status"] == "completed"


async def test_cancel_stops_a_running_simulation_within_two_seconds(embedded: Embedded) -> None:
    process = await embedded.up(KETLINE_WORKER_SLOTS="1")
    async with embedded.api() as api:
        endless = await api.submit(ENDLESS)
        waiting = await api.submit(BELL)
        await api.reached(endless, "processing")
        children = process.children()
        asked = time.monotonic()
        response = await api.http.post(f"/tasks/{endless}/cancel")
        assert (response.status_code, response.json()["status"]) == (200, "cancelled")

        async def killed() -> bool:
            return not alive(children)

        await eventually(killed, "the end of the simulation")
        assert time.monotonic() - asked < 2
        assert (await api.ended(waiting))["status"] == "completed"
        again = await api.http.post(f"/tasks/{endless}/cancel")
        assert (again.status_code, again.json()["task_status"]) == (409, "cancelled")
        assert [entry["status"] for entry in (await api.task(endless))["status_history"]] == [
            "pending",
            "processing",
            "cancelled",
        ]


async def test_task_may_have_a_time_limit_of_its_own(embedded: Embedded) -> None:
    await embedded.up()
    async with embedded.api() as api:
        task = await api.ended(await api.submit(ENDLESS, timeout_s=0.5))
    assert (task["status"], task["error"]["code"]) == ("failed", "timeout")
    assert "0.5 s" in task["error"]["message"]


async def test_wrong_programs_say_what_and_where(embedded: Embedded) -> None:
    programs = {
        'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit q;\nnogate q;\n': ("parse_error", 4),
        "OPENQASM 3.0;\nqubit[2 q;\n": ("parse_error", 2),
        'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[1];\nfoo q[0];\n': ("parse_error", 4),
        'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[60] q;\nbit[60] c;\n'
        + "".join(f"ry(0.3) q[{n}];\n" for n in range(60))
        + 30 * "".join(f"cx q[{n}], q[{n + 1}];\n" for n in range(59))
        + "c = measure q;\n": ("too_large", None),
        'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit q;\nh q;\n': ("unsupported", None),
    }
    await embedded.up()
    async with embedded.api() as api:
        for program, (code, line) in programs.items():
            task = await api.ended(await api.submit(program))
            assert task["status"] == "failed"
            assert task["error"]["message"]
            assert task["error"]["code"] == code, task
            assert line is None or task["error"]["line"] == line, task
        assert "measure" in task["error"]["message"]


async def test_data_directory_has_one_owner(embedded: Embedded) -> None:
    await embedded.up()
    second = await embedded.fleet.start("up", "--data-dir", str(embedded.data_dir), "--port", "0")
    assert await second.process.wait() == 2
    assert "Another Ketline process uses this data directory" in second.output.read_text()


async def test_taken_port_is_named(embedded: Embedded, tmp_path: Path) -> None:
    await embedded.up()
    second = await embedded.fleet.start("up", "--data-dir", str(tmp_path / "other"), "--port", str(embedded.port))
    assert await second.process.wait() == 2
    assert f"port {embedded.port}" in second.output.read_text()


async def run(fleet: Fleet, *arguments: str, **environment: str) -> tuple[int, str]:
    process: KetlineProcess = await fleet.start("run", *arguments, **environment)
    async with asyncio.timeout(60):
        return await process.process.wait(), process.output.read_text()


async def test_run_needs_no_server_and_prints_a_table(embedded: Embedded, tmp_path: Path) -> None:
    (tmp_path / "bell.qasm").write_text(BELL)
    status, printed = await run(embedded.fleet, "bell.qasm", "--shots", "500")
    assert status == 0
    rows = [line.split() for line in printed.splitlines() if line.startswith(("00", "11"))]
    assert sum(int(row[1]) for row in rows) == 500
    assert all("█" in row[-1] for row in rows)
    status, printed = await run(embedded.fleet, "bell.qasm", "--json")
    assert status == 0
    assert json.loads(printed)["status"] == "completed"


async def test_run_of_several_programs_needs_no_server(embedded: Embedded, tmp_path: Path) -> None:
    for name in ("one.qasm", "two.qasm"):
        (tmp_path / name).write_text(BELL)
    status, printed = await run(embedded.fleet, "*.qasm", "--shots", "5")
    assert status == 0, printed
    assert sorted(line.partition(": completed: ")[0] for line in printed.splitlines()) == ["one.qasm", "two.qasm"]


async def test_run_points_at_the_mistake(embedded: Embedded, tmp_path: Path) -> None:
    (tmp_path / "bad.qasm").write_text('OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit q;\n  nogate q;\n')
    status, printed = await run(embedded.fleet, "bad.qasm")
    assert status == 1
    first, source, caret = printed.splitlines()
    assert first.startswith("bad.qasm:4:3: parse_error: ")
    assert source == "    nogate q;"
    assert caret.index("^") == source.index("nogate")


async def test_run_uses_a_running_service(embedded: Embedded, tmp_path: Path) -> None:
    (tmp_path / "bell.qasm").write_text(BELL)
    process = await embedded.up()
    url = f"http://127.0.0.1:{embedded.port}"
    assert (await run(embedded.fleet, "bell.qasm", "--url", url))[0] == 0
    assert (await run(embedded.fleet, "bell.qasm", KETLINE_URL=url))[0] == 0
    assert len([line for line in process.log_lines() if line["event"] == "task.completed"]) == 2
    await process.stop()
    status, printed = await run(embedded.fleet, "bell.qasm", "--url", url)
    assert status == 3
    assert "Cannot reach" in printed


async def test_run_takes_inputs(embedded: Embedded, tmp_path: Path) -> None:
    (tmp_path / "turn.qasm").write_text("input float t; qubit q; bit c; U(t, 0, 0) q; c = measure q;")
    status, printed = await run(embedded.fleet, "turn.qasm", "--input", "t=3.141592653589793", "--json")
    assert status == 0
    assert json.loads(printed)["result"]["counts"] == {"1": 1024}


async def test_run_names_an_input_that_is_no_value(embedded: Embedded, tmp_path: Path) -> None:
    (tmp_path / "turn.qasm").write_text("input float t;")
    status, printed = await run(embedded.fleet, "turn.qasm", "--input", "t=0.3rad")
    assert status == 2
    assert "--input takes NAME=VALUE" in printed
