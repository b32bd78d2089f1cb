"""Devices of submissions: found by name, kept before their tasks, and given to workers as they were."""

from dataclasses import replace
from hashlib import sha256
from uuid import uuid4

import pytest

from ketline.domain.access.principals import DEFAULT_PROJECT, ProjectName
from ketline.domain.devices.device_run import DeviceRun
from ketline.domain.devices.generic_devices import generic_devices
from ketline.domain.errors import DatabaseUnavailable, DeviceMismatch, DeviceNotFound
from ketline.domain.ids import CorrelationId, TaskId
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.domain.tasks.submission import Accepted, Submission
from ketline.service.content_cache import MAX_CHARACTERS, STORED_AGAIN_AFTER, ContentCache
from ketline.service.devices import ManageDevices
from ketline.service.task_devices import DeviceTexts, TaskDevices
from ketline.service.task_noise import TaskNoise
from ketline.service.tasks.backlog import Backlog
from ketline.service.tasks.callbacks import KnownCallbacks
from ketline.service.tasks.quotas import KnownQuotas
from ketline.service.tasks.submission import SubmitTask
from tests.actors import TESTER
from tests.devices import device_of
from tests.fake_access import FakeProjectStore
from tests.fake_device_contents import FakeDeviceContents
from tests.fake_devices import FakeDeviceStore
from tests.fakes import FakeTaskRepository

LINE = generic_devices()["line-27"]
NAMED = DeviceRun(name="line-27")


class Clock:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture
def contents() -> FakeDeviceContents:
    return FakeDeviceContents()


def task_devices(contents: FakeDeviceContents, store: FakeDeviceStore | None = None) -> TaskDevices:
    return TaskDevices(ManageDevices(store or FakeDeviceStore()), DeviceTexts(contents), Clock())


async def test_device_is_found_as_it_is_now(contents: FakeDeviceContents) -> None:
    store = FakeDeviceStore()
    devices = task_devices(contents, store)
    assert await devices.find(NAMED) == replace(NAMED, digest=LINE.digest)
    assert (await devices.find(NAMED)).text == LINE.text
    digests = set()
    for two_qubit in ("cx", "cz"):
        await store.put(device_of(name="mine", two_qubit=two_qubit), TESTER)
        found = await devices.find(DeviceRun(name="mine"))
        assert found.digest == sha256(found.text.encode()).hexdigest()
        digests.add(found.digest)
    assert len(digests) == 2
    with pytest.raises(DeviceNotFound):
        await devices.find(DeviceRun(name="other"))


async def test_content_is_kept_before_its_task_is_stored(contents: FakeDeviceContents) -> None:
    devices = task_devices(contents)

    class Watching(FakeTaskRepository):
        """A repository in which tasks find what their devices are."""

        async def add(self, submission: Submission, *, taken: bool = False, limited: bool = False) -> Accepted:
            assert submission.spec.options.device is not None
            assert contents.texts[submission.spec.options.device.digest] == LINE.text
            return await super().add(submission, taken=taken, limited=limited)

    class Outbox:
        def has_room(self) -> bool:
            return False

        def put(self, dispatch: object) -> None:
            raise AssertionError("there is no room")

        def nudge(self) -> None:
            return

    repository = Watching()
    submit = SubmitTask(
        repository,
        Outbox(),
        Backlog(repository, Clock(), 100),
        max_attempts=3,
        quotas=KnownQuotas(FakeProjectStore(), Clock()),
        callbacks=KnownCallbacks(FakeProjectStore(), Clock()),
        devices=devices,
        noise=TaskNoise(FakeDeviceContents(), Clock()),
    )
    run = await devices.find(NAMED)
    spec = TaskSpec(circuit="qubit q;", shots=1, options=RunOptions(device=run))
    await submit(Submission(task_id=TaskId(uuid4()), spec=spec, correlation_id=CorrelationId("c")))
    await submit.all([Submission(task_id=TaskId(uuid4()), spec=spec, correlation_id=CorrelationId("c"))])
    assert len(repository.submissions) == 2


async def test_content_is_kept_again_after_a_while() -> None:
    contents = FakeDeviceContents()
    clock = Clock()
    devices = TaskDevices(ManageDevices(FakeDeviceStore()), DeviceTexts(contents), clock)
    run = await devices.find(NAMED)
    for _ in range(3):
        await devices.store(run)
    assert contents.calls == ["keep"]
    clock.seconds += STORED_AGAIN_AFTER.total_seconds()
    # The device of a stored task comes without its content.
    await devices.store(replace(run, text=""))
    assert contents.calls == ["keep", "keep"]


async def test_worker_reads_a_content_once() -> None:
    contents = FakeDeviceContents()
    contents.texts[LINE.digest] = LINE.text
    texts = DeviceTexts(contents)
    plain = TaskSpec(circuit="qubit q;", shots=1)
    spec = replace(plain, options=RunOptions(device=replace(NAMED, digest=LINE.digest)))
    for _ in range(2):
        completed = (await texts.load_spec(spec)).options.device
        assert completed is not None
        assert completed.text == LINE.text
    assert await texts.load_spec(plain) is plain
    assert contents.calls == ["get"]


async def test_lost_content_fails_the_task(contents: FakeDeviceContents) -> None:
    with pytest.raises(DeviceMismatch, match="no longer stored"):
        await DeviceTexts(contents).load(replace(NAMED, digest="ab"))


async def test_database_that_is_down_is_not_a_lost_content() -> None:
    class Down(FakeDeviceContents):
        __slots__ = ()

        async def get(self, digest: str) -> str | None:
            raise DatabaseUnavailable("down")

    with pytest.raises(DatabaseUnavailable):
        await DeviceTexts(Down()).load(replace(NAMED, digest="ab"))


async def test_projects_share_no_content_that_is_known(contents: FakeDeviceContents) -> None:
    """What comes sooner would tell that another project has the same device."""
    devices = task_devices(contents)
    run = await devices.find(NAMED)
    for name in ("ours", "theirs"):
        for _ in range(2):
            await devices.within(ProjectName(name)).store(run)
            await devices.within(ProjectName(name)).load(replace(run, text=""))
    assert contents.calls == ["keep", "keep"]
    for name in ("fourth", "fifth"):
        for _ in range(2):
            await devices.texts.within(ProjectName(name)).load(replace(run, text=""))
    assert contents.calls[2:] == ["get", "get"]


def test_known_contents_are_bounded() -> None:
    known = ContentCache()
    long = "x" * (MAX_CHARACTERS // 4)
    for number in range(6):
        known.put((DEFAULT_PROJECT, str(number)), long)
        known.stored_at[DEFAULT_PROJECT, str(number)] = 1.0
        known.get((DEFAULT_PROJECT, "0"))
    assert {digest for _, digest in known.texts} == {"0", "3", "4", "5"}
    assert set(known.stored_at) == set(known.texts)
