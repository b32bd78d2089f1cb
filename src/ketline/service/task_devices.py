"""The devices of tasks: a task keeps the content that its device had when the task was submitted.

The routes that submit, validate and draw call `TaskDevices`, and workers before they run a task.
"""

from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Self

from ketline.domain.access.principals import DEFAULT_PROJECT, ProjectName
from ketline.domain.devices.device_run import DeviceRun
from ketline.domain.errors import DeviceMismatch
from ketline.domain.tasks.spec import TaskSpec
from ketline.ports.clock import Clock
from ketline.ports.devices.device_contents import DeviceContents
from ketline.service.content_cache import ContentCache
from ketline.service.devices import ManageDevices


@dataclass(frozen=True, slots=True)
class DeviceTexts:
    """Reads the contents that the devices of tasks had when the tasks were submitted."""

    contents: DeviceContents
    cache: ContentCache = field(default_factory=ContentCache)
    project: ProjectName = DEFAULT_PROJECT

    def within(self, project: ProjectName) -> Self:
        """Return the service for the tasks of another project."""
        return replace(self, project=project)

    async def load_spec(self, spec: TaskSpec) -> TaskSpec:
        """Return a spec whose device, if it has one, has its content.

        Raises:
            DeviceMismatch: the content is lost.
            DatabaseUnavailable: it could not be read.
        """
        if spec.options.device is None:
            return spec
        return replace(spec, options=replace(spec.options, device=await self.load(spec.options.device)))

    async def load(self, run: DeviceRun) -> DeviceRun:
        """Return a device with its content; raises as `load_spec` does."""
        key = self.project, run.digest
        text = run.text or self.cache.get(key)
        if text is None:
            text = await self.contents.get(run.digest)
            if text is None:
                raise DeviceMismatch(
                    f"the content of the device '{run.name}' is no longer stored: submit the task again"
                )
            self.cache.put(key, text)
        return replace(run, text=text)


@dataclass(frozen=True, slots=True)
class TaskDevices:
    """Finds the devices that submissions name, and stores their contents for the tasks."""

    devices: ManageDevices
    texts: DeviceTexts
    clock: Clock

    def within(self, project: ProjectName) -> Self:
        """Return the service for the devices of another project."""
        return replace(self, devices=self.devices.within(project), texts=self.texts.within(project))

    async def find(self, run: DeviceRun) -> DeviceRun:
        """Return a device of a submission with its present content.

        Raises:
            DeviceNotFound: there is no device of this name.
            DatabaseUnavailable: it could not be read.
        """
        text = await self.devices.content(run.name)
        return replace(run, digest=sha256(text.encode()).hexdigest(), text=text)

    async def load(self, run: DeviceRun) -> DeviceRun:
        """Return the device of a task with the content that it had when the task was submitted.

        Raises:
            DeviceMismatch: the content is lost.
            DatabaseUnavailable: it could not be read.
        """
        return await self.texts.load(run)

    async def store(self, run: DeviceRun) -> None:
        """Store the content of a device for a task that is stored within the next minutes.

        Raises:
            DeviceMismatch: the content is lost.
            DatabaseUnavailable: it is not known to be stored.
        """
        cache, key, now = self.texts.cache, (self.texts.project, run.digest), self.clock.monotonic()
        if cache.was_stored_recently(key, now):
            return
        text = (await self.load(run)).text
        await self.texts.contents.keep(run.digest, text)
        cache.put_stored(key, text, now)
