"""The devices of tasks: what a device is when a task is submitted stays with the task.

The routes that submit, validate and draw call `TaskDevices`, and workers before they run a task.
"""

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from datetime import timedelta
from hashlib import sha256
from math import inf
from typing import Self

from ketline.domain.access import ProjectName
from ketline.domain.device_run import DeviceRun
from ketline.domain.errors import DeviceMismatch
from ketline.domain.spec import TaskSpec
from ketline.ports.clock import Clock
from ketline.ports.device_contents import DeviceContents
from ketline.service.devices import ManageDevices

# Contents without a task are kept for an hour; the task of a submission is stored much sooner.
KEPT_AGAIN_AFTER = timedelta(minutes=10)
MOST_CHARACTERS = 16 << 20


@dataclass(slots=True)
class KnownContents:
    """The contents that a process used last, by digest, up to `MOST_CHARACTERS`; and when it had each kept."""

    texts: OrderedDict[str, str] = field(default_factory=OrderedDict)
    kept_at: dict[str, float] = field(default_factory=dict)

    def get(self, digest: str) -> str | None:
        """The content with a digest, if it is known."""
        if digest in self.texts:
            self.texts.move_to_end(digest)
        return self.texts.get(digest)

    def put(self, digest: str, text: str) -> None:
        """Cache a content, and remove the oldest ones beyond the limit."""
        self.texts[digest] = text
        self.texts.move_to_end(digest)
        while len(self.texts) > 1 and sum(map(len, self.texts.values())) > MOST_CHARACTERS:
            oldest, _ = self.texts.popitem(last=False)
            self.kept_at.pop(oldest, None)


@dataclass(frozen=True, slots=True)
class DeviceTexts:
    """Completes the devices of tasks by what they were when the tasks were submitted."""

    contents: DeviceContents
    known: KnownContents = field(default_factory=KnownContents)

    async def spec(self, spec: TaskSpec) -> TaskSpec:
        """Return a spec whose device, if it has one, has its content.

        Raises:
            DeviceMismatch: the content is lost.
            DatabaseUnavailable: it could not be read.
        """
        if spec.options.device is None:
            return spec
        return replace(spec, options=replace(spec.options, device=await self.completed(spec.options.device)))

    async def completed(self, run: DeviceRun) -> DeviceRun:
        """Return a device with its content; raises as `spec` does."""
        text = run.text or self.known.get(run.digest)
        if text is None:
            text = await self.contents.get(run.digest)
            if text is None:
                raise DeviceMismatch(f"what the device '{run.name}' was is no longer stored: submit the task again")
            self.known.put(run.digest, text)
        return replace(run, text=text)


@dataclass(frozen=True, slots=True)
class TaskDevices:
    """Finds the devices that submissions name, and keeps what they are."""

    devices: ManageDevices
    texts: DeviceTexts
    clock: Clock

    def within(self, project: ProjectName) -> Self:
        """Return the service for the devices of another project."""
        return replace(self, devices=self.devices.within(project))

    async def found(self, run: DeviceRun) -> DeviceRun:
        """Return a device of a submission with what it is now.

        Raises:
            DeviceNotFound: there is no device of this name.
            DatabaseUnavailable: it could not be read.
        """
        text = await self.devices.content(run.name)
        return replace(run, digest=sha256(text.encode()).hexdigest(), text=text)

    async def completed(self, run: DeviceRun) -> DeviceRun:
        """Return the device of a task with what it was when the task was submitted.

        Raises:
            DeviceMismatch: the content is lost.
            DatabaseUnavailable: it could not be read.
        """
        return await self.texts.completed(run)

    async def keep(self, run: DeviceRun) -> None:
        """Keep the content of a device for a task that is stored within the next minutes.

        Raises:
            DeviceMismatch: the content is lost.
            DatabaseUnavailable: it is not known to be stored.
        """
        known, now = self.texts.known, self.clock.monotonic()
        if now - known.kept_at.get(run.digest, -inf) < KEPT_AGAIN_AFTER.total_seconds():
            return
        text = (await self.completed(run)).text
        await self.texts.contents.keep(run.digest, text)
        known.put(run.digest, text)
        known.kept_at[run.digest] = now
