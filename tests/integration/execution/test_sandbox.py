"""What is left to a confined process: each attempt is really made, in a process that was confined as simulators are."""

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from ketline.execution.limits import ExecutionLimits
from ketline.execution.parent.process import SimulatorProcess
from ketline.execution.sandbox import protections

PR_GET_DUMPABLE = 3  # linux/prctl.h

ATTEMPTS = """
import ctypes, json, os, resource, socket, subprocess, sys, threading
from ketline.execution.sandbox import confine

parent, victim, secret = os.getppid(), int(sys.argv[1]), sys.argv[2]
libc = ctypes.CDLL(None, use_errno=True)
confine()

def ptrace():
    if libc.ptrace(16, victim, 0, 0) == -1:
        raise OSError(ctypes.get_errno(), "ptrace")

def limited():
    resource.prlimit(victim, resource.RLIMIT_NOFILE, (4, 4))

ATTEMPTS = {
    "connect": lambda: socket.create_connection(("127.0.0.1", 9), 1),
    "unix socket": lambda: socket.socket(socket.AF_UNIX),
    "fork": os.fork,
    "program": lambda: subprocess.run(["/bin/true"], check=True),
    "spawn": lambda: os.posix_spawn("/bin/true", ["true"], {}),
    "environment of the parent": lambda: open(f"/proc/{parent}/environ", "rb").read(),
    "memory of the parent": lambda: open(f"/proc/{parent}/mem", "rb"),
    "command line of another": lambda: open(f"/proc/{victim}/cmdline", "rb").read(),
    "read a file": lambda: open(secret).read(),
    "list a directory": lambda: os.listdir(os.path.dirname(secret)),
    "write a file": lambda: open(secret + ".new", "w"),
    "overwrite a file": lambda: open(secret, "a"),
    "remove a file": lambda: os.unlink(secret),
    "rename a file": lambda: os.rename(secret, secret + ".old"),
    "change a mode": lambda: os.chmod(secret, 0o777),
    "change an owner": lambda: os.chown(secret, 1, 1),
    "signal the parent": lambda: os.kill(parent, 0),
    "signal another": lambda: os.kill(victim, 9),
    "limit another": limited,
    "trace another": ptrace,
    "slow another down": lambda: os.setpriority(os.PRIO_PROCESS, victim, 19),
    "new namespace": lambda: [libc.unshare(0x10000000) and (_ for _ in ()).throw(OSError(ctypes.get_errno(), ""))],
}
USES = {
    "thread": lambda: threading.Thread(target=int).start(),
    "own limits": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)),
    "own signal": lambda: os.kill(os.getpid(), 0),
    "null device": lambda: open(os.devnull, "w").write("x"),
    "module": lambda: __import__("wave"),
    "cores": lambda: len(os.sched_getaffinity(0)),
    "randomness": lambda: os.urandom(8),
    "own maps": lambda: open("/proc/self/maps").read(),
}

def outcome(action):
    try:
        action()
    except OSError as error:
        return type(error).__name__
    return "done"

print(json.dumps([{name: outcome(action) for name, action in table.items()} for table in (ATTEMPTS, USES)]))
"""


def attempt(secret: Path) -> tuple[dict[str, str], dict[str, str]]:
    """What became of each attempt that must fail, and of each use that must not."""
    with subprocess.Popen(["sleep", "60"]) as victim:
        try:
            done = subprocess.run(
                [sys.executable, "-P", "-c", ATTEMPTS, str(victim.pid), str(secret)],
                check=True,
                capture_output=True,
                text=True,
                timeout=60,
            )
        finally:
            victim.kill()
    forbidden, needed = json.loads(done.stdout)
    return forbidden, needed


def test_confined_process_has_nothing_but_its_own(tmp_path: Path) -> None:
    assert protections()["landlock"], "these tests need a kernel with Landlock (Linux 5.13 or newer)"
    secret = tmp_path / "secret"
    secret.write_text("postgresql://ada:hunter2@db/ketline")
    forbidden, needed = attempt(secret)
    assert {name for name, became in forbidden.items() if became == "done"} == set()
    assert {name: became for name, became in needed.items() if became != "done"} == {}
    assert secret.read_text().endswith("/ketline")
    assert secret.stat().st_mode & 0o777 != 0o777


def test_simulator_is_confined_and_has_no_capabilities() -> None:
    process = SimulatorProcess((sys.executable, "-P", "-m", "ketline.simulator"), ExecutionLimits())
    try:
        with process.take_socket() as pipe:
            pipe.recv(64)  # it is ready
        status = dict(
            line.split(":\t", 1)
            for line in Path(f"/proc/{process.pid}/status").read_text().splitlines()
            if ":\t" in line
        )
    finally:
        process.end()
    assert status["Seccomp"] == "2"
    assert status["NoNewPrivs"] == "1"
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0


def test_process_that_starts_a_simulator_hides_its_environment() -> None:
    """Also where the kernel has no Landlock, another process of the same user cannot read the addresses in it."""
    program = (
        "import ctypes, sys\n"
        "from ketline.execution.parent.process import SimulatorProcess\n"
        "from ketline.execution.limits import ExecutionLimits\n"
        "SimulatorProcess((sys.executable, '-c', 'pass'), ExecutionLimits()).end()\n"
        f"print('dumpable', ctypes.CDLL(None).prctl({PR_GET_DUMPABLE}), flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"dumpable 0\n"
        environment = Path(f"/proc/{parent.pid}/environ")
        assert environment.stat().st_uid == 0  # the kernel's mark of a process that is not dumpable
        if os.geteuid() != 0:
            with pytest.raises(PermissionError):
                environment.read_bytes()
        assert parent.stdin is not None
        parent.stdin.close()


NOBODY_PROGRAM = """
import json, os, sys
from pathlib import Path
from ketline.execution.sandbox.identity import become_nobody
became = become_nobody([Path(sys.argv[1])])
try:
    os.setuid(0)
except PermissionError:
    pass
print(json.dumps([became, os.getuid(), os.getgid(), os.getgroups()]))
"""


@pytest.mark.parametrize(("mode", "readable"), [(0o755, True), (0o750, False), (0o711, False)])
def test_root_becomes_nobody_where_nobody_can_read_the_code(mode: int, readable: bool) -> None:
    with TemporaryDirectory() as directory:
        Path(directory).chmod(mode)
        command = [sys.executable, "-c", NOBODY_PROGRAM, directory]
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    expected = [True, 65534, 65534, []] if readable and os.geteuid() == 0 else [False, *ids_of_this_process()]
    assert json.loads(done.stdout) == expected


def ids_of_this_process() -> list[object]:
    return [os.getuid(), os.getgid(), os.getgroups()]
