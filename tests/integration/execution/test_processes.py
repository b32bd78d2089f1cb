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
from ketline.domain.tasks.spec import TaskSpec
from ketline.execution.limits import ExecutionLimits
from ketline.execution.parent.runner import ChildRunnerFactory
from ketline.logs import configure_logs

SPEC = TaskSpec(circuit="qubit q; bit c; while (c == false) { c = measure q; }", shots=1)

async def main():
    configure_logs("error", "json")
    async with ChildRunnerFactory(ExecutionLimits()).open_runner() as runner:
        running = asyncio.create_task(runner.run(SPEC))
        while not runner.busy:
            await asyncio.sleep(0.005)
        print(runner.pid, flush=True)
        await running

asyncio.run(main())
"""
PR_SET_NAME = 15  # linux/prctl.h
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
from ketline.execution.limits import ExecutionLimits
from ketline.execution.parent.runner import ChildRunnerFactory

async def main():
    async with ChildRunnerFactory(ExecutionLimits()).open_runner():
        pass

asyncio.run(main())
"""


async def test_child_that_still_imports_dies_with_its_parent(tmp_path: Path) -> None:
    """Imports take seconds on a busy machine: here they take for ever."""
    # A confined process can write no file: its name in the process table says how far it is.
    (tmp_path / "qiskit.py").write_text(
        f"import ctypes, time\nctypes.CDLL(None).prctl({PR_SET_NAME}, b'importing')\ntime.sleep(600)\n"
    )
    path = filter(None, (str(tmp_path), os.environ.get("PYTHONPATH")))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path)}
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", STARTING, env=environment)
    await until(lambda: any(name_of(pid) == "importing" for pid in children_of(parent.pid)))
    (pid,) = children_of(parent.pid)
    parent.kill()
    await parent.wait()
    try:
        await until(lambda: has_ended(pid))
    finally:
        if not has_ended(pid):
            os.kill(pid, signal.SIGKILL)


def children_of(pid: int) -> list[int]:
    """The processes that any thread of `pid` has started and that still exist."""
    listed = (place.read_text().split() for place in Path(f"/proc/{pid}/task").glob("*/children"))
    return [int(child) for children in listed for child in children]


def name_of(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def test_parents_side_imports_no_qiskit() -> None:
    code = "import sys, ketline.execution; print(*{name.partition('.')[0] for name in sys.modules})"
    output = subprocess.run([sys.executable, "-c", code], check=True, timeout=60, capture_output=True, text=True).stdout
    assert VENDORS.isdisjoint(output.split())


LAZY = """
import sys
from pathlib import Path
from ketline.execution.child.main import bound_resources
from ketline.execution.limits import ExecutionLimits

bound_resources(ExecutionLimits())
sys.path.insert(0, sys.argv[1])
import large
"""


def test_module_a_child_imports_late_is_not_spoilt_for_others(tmp_path: Path) -> None:
    (tmp_path / "large.py").write_text("\n".join(f"name_{number} = 'value {number}'" for number in range(10_000)))
    for program in (LAZY, "import sys; sys.path.insert(0, sys.argv[1]); import large; assert large.name_9999"):
        environment = os.environ | {"PYTHONDONTWRITEBYTECODE": ""}
        subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True, timeout=60, env=environment)
