"""What becomes of processes when the parent ends, and what the parent does without."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.integration.execution.conftest import has_ended, is_gone, until

PARENT = """
import asyncio
from ketline.execution import ChildRunnerFactory, ExecutionLimits
from ketline.logs import configure_logs

async def main():
    configure_logs("error", "json")
    async with ChildRunnerFactory(ExecutionLimits()).open_runner() as runner:
        running = asyncio.create_task(runner.run("qubit q; bit c; while (c == false) { c = measure q; }", 1))
        while runner._running is None:
            await asyncio.sleep(0.005)
        print(runner.pid, flush=True)
        await running

asyncio.run(main())
"""
VENDORS = {"antlr4", "numpy", "openqasm3", "qiskit", "qiskit_aer", "qiskit_qasm3_import"}


async def test_child_at_work_dies_with_its_parent() -> None:
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", PARENT, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    assert not is_gone(pid)
    parent.kill()
    await parent.communicate()
    await until(lambda: has_ended(pid))


STARTING = """
import asyncio, sys
from ketline.execution import ChildRunnerFactory, ExecutionLimits

async def main():
    async with ChildRunnerFactory(ExecutionLimits()).open_runner():
        pass

asyncio.run(main())
"""


async def test_child_that_still_imports_dies_with_its_parent(tmp_path: Path) -> None:
    """Imports take seconds on a busy machine: here they take for ever."""
    told = tmp_path / "told"
    (tmp_path / "qiskit.py").write_text(
        "import os, pathlib, time\n"
        f"told = pathlib.Path({str(told)!r})\n"
        "told.with_suffix('.new').write_text(str(os.getpid()))\n"
        "told.with_suffix('.new').rename(told)\n"
        "time.sleep(600)\n"
    )
    path = filter(None, (str(tmp_path), os.environ.get("PYTHONPATH")))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path)}
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", STARTING, env=environment)
    await until(told.exists)
    pid = int(told.read_text())
    assert not is_gone(pid)
    parent.kill()
    await parent.wait()
    try:
        await until(lambda: has_ended(pid))
    finally:
        if not has_ended(pid):
            os.kill(pid, signal.SIGKILL)


def test_parents_side_imports_no_qiskit() -> None:
    code = "import sys, ketline.execution; print(*{name.partition('.')[0] for name in sys.modules})"
    output = subprocess.run([sys.executable, "-c", code], check=True, timeout=60, capture_output=True, text=True).stdout
    assert VENDORS.isdisjoint(output.split())


LAZY = """
import sys
from pathlib import Path
from ketline.execution.child import confine
from ketline.execution.limits import ExecutionLimits

confine(ExecutionLimits())
sys.path.insert(0, sys.argv[1])
import large
"""


def test_module_a_child_imports_late_is_not_spoilt_for_others(tmp_path: Path) -> None:
    (tmp_path / "large.py").write_text("\n".join(f"name_{number} = 'value {number}'" for number in range(10_000)))
    for program in (LAZY, "import sys; sys.path.insert(0, sys.argv[1]); import large; assert large.name_9999"):
        environment = os.environ | {"PYTHONDONTWRITEBYTECODE": ""}
        subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True, timeout=60, env=environment)
