"""The conformance suite passes on each shipped adapter, and finds each defect of a broken one."""

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.acceptance.conftest import Embedded
from tests.acceptance.processes import Fleet
from tests.backends.conformance import ROOT, conformance
from tests.backends.remote import KEY, FakeRemote
from tests.blocks import long_after
from tests.forking.fixtures import MakeRemote

# Defects, and a test that each must make fail.
DEFECTS = {
    "reverses_bits": "test_bits_are_in_the_order_of_the_registers[fixed]",
    "reverses_registers": "test_bits_are_in_the_order_of_the_registers[random]",
    "loses_shots": "test_entangled_qubits_agree",
    "blocks_the_loop": "test_no_call_blocks_the_event_loop",
    "forgets_tokens": "test_a_repeated_token_gives_the_same_job",
    "says_that_nothing_was_submitted": "test_a_token_finds_its_job_after_the_worker_was_lost",
    "invents_jobs": "test_a_token_that_was_never_submitted_has_no_job",
    "rejects_nothing": "test_an_unreadable_program_is_rejected",
    "rejects_without_reason": "test_an_unreadable_program_is_rejected",
    "shows_its_key": "test_no_text_has_a_credential",
    "claims_a_format": "test_each_format_gives_the_same_outcome",
}


@pytest.fixture
def remote(make_remote: MakeRemote) -> Iterator[FakeRemote]:
    with make_remote(polls=1) as remote:
        yield remote


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[Embedded]:
    """A second Ketline."""
    service = Embedded(Fleet(tmp_path, {}), tmp_path / "data")
    try:
        yield service
    finally:
        await service.fleet.end()


def test_qiskit_conforms(tmp_path: Path) -> None:
    entry = "fake=qiskit:qiskit.providers.fake_provider:GenericBackendV2;num_qubits=6;noise_info=false"
    report = conformance(tmp_path, entry)
    assert not report.failed, report.output
    assert not report.skipped


@pytest.mark.long
def test_noisy_qiskit_backend_conforms(tmp_path: Path) -> None:
    report = conformance(
        tmp_path, "fake=qiskit:qiskit.providers.fake_provider:GenericBackendV2;num_qubits=5;seed=42", "-k", "counts"
    )
    assert not report.failed, report.output


@pytest.mark.long
def test_provider_that_keeps_its_jobs_conforms(tmp_path: Path) -> None:
    entry = f"lab=qiskit:tests.backends.provider:KeepingBackend;remote=true;num_qubits=6;directory={tmp_path}"
    report = conformance(tmp_path, entry)
    assert not report.failed, report.output
    assert report.skipped == {"test_a_repeated_token_gives_the_same_job"}


@pytest.mark.long
async def test_another_ketline_by_its_qiskit_backend_conforms(embedded: Embedded, tmp_path: Path) -> None:
    await embedded.up()
    entry = f"other=qiskit:ketline.qiskit:KetlineBackend;remote=false;service=http://127.0.0.1:{embedded.port}"
    report = await asyncio.to_thread(conformance, tmp_path, entry, "-k", "counts")
    assert not report.failed, report.output


def test_braket_conforms(tmp_path: Path) -> None:
    report = conformance(tmp_path, "local=braket")
    assert not report.failed, report.output
    assert report.skipped == {"test_the_same_seed_gives_the_same_counts"}


@pytest.mark.long
def test_braket_density_matrices_conform(tmp_path: Path) -> None:
    report = conformance(tmp_path, "local=braket:braket_dm", "-k", "counts")
    assert not report.failed, report.output


async def test_another_ketline_conforms(embedded: Embedded, tmp_path: Path) -> None:
    await embedded.up()
    entry = f"other=ketline:http://127.0.0.1:{embedded.port};api_key_variable=OTHER_KEY"
    environment = {"OTHER_KEY": "the-key-of-the-other"}
    report = await asyncio.to_thread(
        conformance, tmp_path, entry, "--backend-secret", "OTHER_KEY", environment=environment
    )
    assert not report.failed, report.output
    assert not report.skipped


@pytest.mark.parametrize(
    ("recognises", "finds"),
    [
        (False, False),
        pytest.param(True, False, marks=pytest.mark.long),
        pytest.param(False, True, marks=pytest.mark.long),
    ],
)
def test_example_conforms(tmp_path: Path, make_remote: MakeRemote, recognises: bool, finds: bool) -> None:
    with make_remote(recognises_tokens=recognises, finds_tokens=finds) as remote:
        environment = {"ACME_URL": remote.url, "ACME_KEY": KEY}
        report = conformance(
            tmp_path, "tests.backends.broken:sound", "--backend-secret", "ACME_KEY", environment=environment
        )
    assert not report.failed, report.output
    assert report.skipped == (set() if recognises else {"test_a_repeated_token_gives_the_same_job"})


@pytest.mark.parametrize("defect", long_after(3, DEFECTS))
def test_suite_finds_the_defect(tmp_path: Path, remote: FakeRemote, defect: str) -> None:
    environment = {"ACME_URL": remote.url, "ACME_KEY": KEY}
    test = DEFECTS[defect]
    selected = f"{test.partition('[')[0]} or does_not_exist or credential"
    options = ["-k", selected, "--backend-secret", "ACME_KEY"]
    report = conformance(tmp_path, f"tests.backends.broken:{defect}", *options, environment=environment)
    assert test in report.failed, report.output


def test_options_exist_in_runs_of_the_suite_only(tmp_path: Path) -> None:
    (tmp_path / "test_nothing.py").write_text("def test_nothing() -> None:\n    pass\n")
    command = [sys.executable, "-m", "pytest", "-p", "no:asyncio", "test_nothing.py"]
    alone = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert alone.returncode == 0, alone.stdout
    with_option = subprocess.run(
        [*command, "--backend", "a:b"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "unrecognized arguments: --backend" in with_option.stderr


def test_documented_example_is_the_tested_one() -> None:
    page = (ROOT / "docs" / "backends.md").read_text()
    [example] = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert example == (ROOT / "tests" / "backends" / "example.py").read_text()
