"""Large models of noise: stored once before their tasks, and read once by a worker."""

import json
from dataclasses import replace
from hashlib import sha256
from uuid import uuid4

import pytest

from ketline.domain.access.principals import ProjectName
from ketline.domain.access.quotas import ProjectQuotas, Quota, Scope
from ketline.domain.devices.noise_layers import Noise
from ketline.domain.devices.stored_noise import LARGE_NOISE_CHARACTERS, StoredNoise, stored_noise
from ketline.domain.errors import NoiseInvalid, QuotaExceeded
from ketline.domain.ids import CorrelationId, TaskId
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.domain.tasks.spec_fields import digest_of
from ketline.domain.tasks.submission import Accepted, Submission
from ketline.service.content_cache import STORED_AGAIN_AFTER
from ketline.service.devices import ManageDevices
from ketline.service.task_devices import DeviceTexts, TaskDevices
from ketline.service.task_noise import TaskNoise
from ketline.service.tasks.backlog import Backlog
from ketline.service.tasks.callbacks import KnownCallbacks
from ketline.service.tasks.quotas import KnownQuotas
from ketline.service.tasks.submission import SubmitTask
from tests.fake_access import FakeProjectStore
from tests.fake_device_contents import FakeDeviceContents
from tests.fake_devices import FakeDeviceStore
from tests.fakes import FakeTaskRepository
from tests.large_noise import large_model
from tests.unit.service.test_task_devices import Clock

LARGE = large_model()
SMALL = {"name": "readout", "p01": 0.1, "p10": 0.2}


class Outbox:
    """Has no room, so that the dispatcher finds every task."""

    def has_room(self) -> bool:
        return False

    def put(self, dispatch: object) -> None:
        raise AssertionError("there is no room")

    def nudge(self) -> None:
        return


class Watching(FakeTaskRepository):
    """A repository in which tasks find their models of noise."""

    def __init__(self, contents: FakeDeviceContents) -> None:
        super().__init__()
        self._contents = contents

    async def add(self, submission: Submission, *, taken: bool = False, limited: bool = False) -> Accepted:
        noise = submission.spec.options.noise
        assert isinstance(noise, StoredNoise)
        assert json.loads(self._contents.texts[noise.digest]) == LARGE
        return await super().add(submission, taken=taken, limited=limited)


@pytest.fixture
def contents() -> FakeDeviceContents:
    return FakeDeviceContents()


def spec_with(noise: Noise | None) -> TaskSpec:
    return TaskSpec(circuit="qubit q;", shots=1, options=RunOptions(noise=noise))


def submission(noise: Noise | None) -> Submission:
    return Submission(task_id=TaskId(uuid4()), spec=spec_with(noise), correlation_id=CorrelationId("c"))


def as_claimed(spec: TaskSpec) -> TaskSpec:
    """The spec as a worker reads it, without the text of its noise."""
    noise = spec.options.noise
    assert isinstance(noise, StoredNoise)
    return spec_with(StoredNoise(noise.digest))


def submitting(repository: FakeTaskRepository, contents: FakeDeviceContents) -> SubmitTask:
    return SubmitTask(
        repository,
        Outbox(),
        Backlog(repository, Clock(), 10_000),
        max_attempts=3,
        quotas=KnownQuotas(FakeProjectStore(), Clock()),
        callbacks=KnownCallbacks(FakeProjectStore(), Clock()),
        devices=TaskDevices(ManageDevices(FakeDeviceStore()), DeviceTexts(FakeDeviceContents()), Clock()),
        noise=TaskNoise(contents, Clock()),
    )


async def test_large_model_is_stored_before_its_task(contents: FakeDeviceContents) -> None:
    repository = Watching(contents)
    await submitting(repository, contents)(submission(LARGE))
    assert len(repository.submissions) == 1


async def test_large_model_of_many_tasks_is_stored_once(contents: FakeDeviceContents) -> None:
    repository = FakeTaskRepository()
    submit = submitting(repository, contents)
    for _ in range(3):
        await submit(submission(LARGE))
    await submit.all([submission(LARGE) for _ in range(1000)])
    assert contents.calls == ["keep"]
    [(digest, text)] = contents.texts.items()
    assert digest == sha256(text.encode()).hexdigest()
    assert {one.spec.options.noise for one in repository.submissions} == {StoredNoise(digest)}
    assert len(repository.submissions) == 1003


@pytest.mark.parametrize("noise", [None, SMALL, [SMALL, SMALL], large_model(2)])
async def test_small_noise_stays_with_its_task(contents: FakeDeviceContents, noise: Noise | None) -> None:
    repository = FakeTaskRepository()
    await submitting(repository, contents)(submission(noise))
    assert repository.submissions[0].spec.options.noise == noise
    assert contents.calls == []


async def test_model_is_stored_again_after_a_while(contents: FakeDeviceContents) -> None:
    """Without a task it is deleted after an hour; a later task needs it again."""
    clock = Clock()
    noise = TaskNoise(contents, clock)
    spec = noise.refer(spec_with([LARGE, SMALL]))
    for _ in range(2):
        await noise.store(spec)
    clock.seconds += STORED_AGAIN_AFTER.total_seconds()
    await noise.store(spec)
    assert contents.calls == ["keep", "keep"]


async def test_model_of_a_rejected_submission_is_not_stored(contents: FakeDeviceContents) -> None:
    """A project that has used its quotas up could fill the disk otherwise: no task has these models."""
    repository = FakeTaskRepository()
    repository.rejection = QuotaExceeded("no", quota=Quota.WAITING, scope=Scope.PROJECT, used=2, limit=1)
    quotas = ProjectQuotas(project={Quota.WAITING: 1})
    limited = KnownQuotas(FakeProjectStore(), Clock(), defaults=quotas)
    submit = replace(submitting(repository, contents), quotas=limited)
    with pytest.raises(QuotaExceeded):
        await submit(submission(LARGE))
    with pytest.raises(QuotaExceeded):
        await submit.all([submission(None), submission(LARGE)])
    assert contents.calls == []
    repository.rejection = None
    await submit(submission(LARGE))
    assert contents.calls == ["keep"]


async def test_projects_share_no_model_that_is_known(contents: FakeDeviceContents) -> None:
    """What comes sooner would tell that another project has the same noise."""
    repository = FakeTaskRepository()
    submit = submitting(repository, contents)
    for name in ("ours", "theirs"):
        within = submit.within(ProjectName(name), repository)
        for _ in range(2):
            await within(submission(LARGE))
    assert contents.calls == ["keep", "keep"]
    stored = repository.submissions[0].spec
    for name in ("ours", "other"):
        await submit.noise.within(ProjectName(name)).load(as_claimed(stored))
    assert contents.calls[2:] == ["get"]


async def test_worker_reads_a_model_once(contents: FakeDeviceContents) -> None:
    text = json.dumps(LARGE)
    contents.texts["ab"] = text
    noise = TaskNoise(contents, Clock())
    for _ in range(3):
        completed = (await noise.load(spec_with(StoredNoise("ab")))).options.noise
        assert isinstance(completed, StoredNoise)
        assert completed.model() == LARGE
    small = spec_with(SMALL)
    assert await noise.load(small) is small
    assert contents.calls == ["get"]


async def test_lost_model_fails_the_task(contents: FakeDeviceContents) -> None:
    with pytest.raises(NoiseInvalid, match="no longer stored"):
        await TaskNoise(contents, Clock()).load(spec_with(StoredNoise("ab")))


def test_column_holds_a_reference_that_is_no_model() -> None:
    stored = StoredNoise("ab", "text")
    assert stored_noise(stored.as_json()) == StoredNoise("ab")
    assert stored_noise(SMALL) is SMALL
    assert not {"model", "name"} & stored.as_json().keys()


def test_fingerprint_is_that_of_the_noise_as_it_was_submitted() -> None:
    assert len(json.dumps(LARGE)) > LARGE_NOISE_CHARACTERS
    assert ["noise", json.dumps(LARGE, sort_keys=True)] in [list(pair) for pair in digest_of(spec_with(LARGE))[4:]]  # type: ignore[call-overload]
