"""The qBraid adapter, on a recorded server: no request leaves loopback, no job is submitted twice, no key is shown."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ketline.backends import (
    BackendAccessDenied,
    BackendAdapter,
    BackendJobNotFound,
    BackendOutcomeUnknown,
    BackendRefused,
    BackendUnavailable,
    ClientToken,
    ProgramFormat,
    RemoteId,
)
from ketline.backends.registry import open_adapter, open_backends
from ketline.domain.backends.backend_list import parse_backends
from ketline.testing.backends.programs import BELL, FIXED
from tests.backends.conformance import conformance
from tests.backends.qbraid_server import KEY, MAX_SHOTS, QRN, Recording, qbraid_server
from tests.servers.ports import free_ports

ENTRY = f"sim=qbraid:{QRN};poll_seconds=0.05"
JOB = BELL.job(ProgramFormat.OPENQASM3, 100)
TOKEN = ClientToken("0191d3a2-0000-7000-8000-000000000001")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recording]:
    with qbraid_server() as recording:
        monkeypatch.setenv("QBRAID_API_URL", recording.url)
        monkeypatch.setenv("QBRAID_API_KEY", KEY)
        yield recording


@asynccontextmanager
async def _opened() -> AsyncIterator[BackendAdapter]:
    [entry] = parse_backends(ENTRY)
    adapter = open_adapter(entry)
    try:
        yield adapter
    finally:
        await adapter.close()


@pytest.mark.parametrize("languages", [("qasm3",), pytest.param(("qasm2",), marks=pytest.mark.long)])
def test_qbraid_conforms(tmp_path: Path, server: Recording, languages: tuple[str, ...]) -> None:
    server.languages = languages
    report = conformance(tmp_path, ENTRY, "--backend-secret", "QBRAID_API_KEY")
    assert not report.failed, report.output
    assert report.skipped == {
        "test_a_repeated_token_gives_the_same_job",
        "test_the_same_seed_gives_the_same_counts",
    }


@pytest.mark.parametrize("fault", ["lose answer", "error"])
async def test_a_job_whose_answer_is_lost_is_found_by_its_token(server: Recording, fault: str) -> None:
    async with _opened() as adapter:
        server.faults.append(fault)
        with pytest.raises(BackendOutcomeUnknown):
            await adapter.submit(JOB, TOKEN)
        [qrn] = server.jobs
        assert await adapter.reattach(TOKEN) == qrn
    assert server.requests.count(("POST", "/jobs")) == 1


async def test_an_overloaded_server_is_not_asked_twice(server: Recording) -> None:
    async with _opened() as adapter:
        server.faults.append("unavailable")
        with pytest.raises(BackendOutcomeUnknown, match="Try again later"):
            await adapter.submit(JOB, TOKEN)
        with pytest.raises(BackendOutcomeUnknown, match="may still appear"):
            await adapter.reattach(TOKEN)
    assert server.requests.count(("POST", "/jobs")) == 1


async def test_a_rejected_job_is_rejected_with_the_reason(server: Recording) -> None:
    async with _opened() as adapter:
        server.faults.append("no credits")
        with pytest.raises(BackendRefused, match="Insufficient credits"):
            await adapter.submit(JOB, TOKEN)
        too_many = BELL.job(ProgramFormat.OPENQASM3, MAX_SHOTS + 1)
        with pytest.raises(BackendRefused, match=str(MAX_SHOTS)):
            await adapter.validate(too_many)
        server.languages = ("pyqir",)
        with pytest.raises(BackendRefused, match="takes pyqir, and no OpenQASM"):
            await adapter.validate(JOB)


async def test_the_state_of_the_device_is_described(server: Recording) -> None:
    async with _opened() as adapter:
        assert (await adapter.describe()).online
        server.status = "OFFLINE"
        assert (await adapter.describe()).offline_reason == "qBraid says that it is OFFLINE"


async def test_a_wrong_key_is_denied_and_not_shown(server: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QBRAID_API_KEY", "qbr_ffffffff")
    async with _opened() as adapter:
        with pytest.raises(BackendAccessDenied, match="rejects the key") as raised:
            await adapter.describe()
    assert "qbr_ffffffff" not in f"{raised.value!r} {adapter!r} {vars(adapter)}"


async def test_only_the_environment_gives_the_key(
    server: Recording, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".qbraid").mkdir()
    (tmp_path / ".qbraid" / "qbraidrc").write_text(f"[default]\napi-key = wrong\nurl = {server.url}/wrong\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("QBRAID_ACCESS_TOKEN", "wrong")
    async with _opened() as adapter:
        assert (await adapter.describe()).name == QRN
    monkeypatch.delenv("QBRAID_API_KEY")
    assert open_backends(parse_backends(ENTRY)).problems == {"sim": "Backend 'sim': QBRAID_API_KEY is not set"}


async def test_a_server_that_is_down_is_unavailable(server: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    [port] = free_ports(1)
    monkeypatch.setenv("QBRAID_API_URL", f"http://127.0.0.1:{port}")
    async with _opened() as adapter:
        with pytest.raises(BackendUnavailable):
            await adapter.submit(JOB, TOKEN)


async def test_jobs_of_others_are_not_found(server: Recording) -> None:
    async with _opened() as adapter:
        with pytest.raises(BackendJobNotFound):
            await adapter.poll(RemoteId(f"{QRN}-0"))


async def test_programs_have_one_register_and_measure_each_qubit_once(server: Recording) -> None:
    async with _opened() as adapter:
        await adapter.submit(FIXED[5].job(ProgramFormat.OPENQASM3, 100), TOKEN)
    [job] = server.jobs.values()
    assert job["tags"] == {"ketline": TOKEN}
    lines = job["program"]["data"].splitlines()
    assert lines[2:4] == ["qubit[4] q;", "bit[4] c;"]
    assert lines[-4:] == [f"c[{bit}] = measure q[{bit}];" for bit in range(4)]


@pytest.mark.parametrize(
    "entry", ["sim=qbraid", "sim=qbraid:one", f"sim=qbraid:{QRN};poll_seconds=x", f"sim=qbraid:{QRN};a=1"]
)
def test_wrong_entries_are_named(server: Recording, entry: str) -> None:
    [problem] = open_backends(parse_backends(entry)).problems.values()
    assert problem.startswith("Backend 'sim': ")
