"""Stores each large noise model once; tasks refer to it by its digest.

`SubmitTask` calls `TaskNoise` before it stores tasks, and a worker calls it before it runs a task.
"""

from dataclasses import dataclass, field, replace
from typing import Self

from ketline.domain.access.principals import DEFAULT_PROJECT, ProjectName
from ketline.domain.devices.stored_noise import StoredNoise, large_noise
from ketline.domain.errors import NoiseInvalid
from ketline.domain.tasks.spec import TaskSpec
from ketline.ports.clock import Clock
from ketline.ports.devices.noise_contents import NoiseContents
from ketline.service.content_cache import ContentCache


@dataclass(frozen=True, slots=True)
class TaskNoise:
    """Stores and loads the noise models of tasks; a model in the cache is not read from the database."""

    contents: NoiseContents
    clock: Clock
    cache: ContentCache = field(default_factory=ContentCache)
    project: ProjectName = DEFAULT_PROJECT

    def within(self, project: ProjectName) -> Self:
        """Return the service for the tasks of another project."""
        return replace(self, project=project)

    def refer(self, spec: TaskSpec) -> TaskSpec:
        """Return the spec with a large noise model replaced by a reference, which still contains the model's text."""
        if spec.options.noise is None or isinstance(spec.options.noise, StoredNoise):
            return spec
        stored = large_noise(spec.options.noise)
        return spec if stored is None else _with(spec, stored)

    def is_stored(self, spec: TaskSpec) -> bool:
        """Whether `store` would do nothing for a spec that `refer` returned."""
        noise = spec.options.noise
        if not isinstance(noise, StoredNoise):
            return True
        return self.cache.was_stored_recently((self.project, noise.digest), self.clock.monotonic())

    async def store(self, spec: TaskSpec) -> None:
        """Store the noise model of a spec that `refer` returned; its task must be stored within the next minutes.

        Raises:
            DatabaseUnavailable: it is unknown whether the model was stored.
        """
        noise, now = spec.options.noise, self.clock.monotonic()
        if self.is_stored(spec) or not isinstance(noise, StoredNoise):
            return
        await self.contents.keep(noise.digest, noise.text)
        self.cache.put_stored((self.project, noise.digest), noise.text, now)

    async def load(self, spec: TaskSpec) -> TaskSpec:
        """Return the spec of a task; a reference to a stored noise model gets the model's text.

        Raises:
            NoiseInvalid: the model is no longer stored.
            DatabaseUnavailable: the model could not be read.
        """
        noise = spec.options.noise
        if not isinstance(noise, StoredNoise) or noise.text:
            return spec
        key = self.project, noise.digest
        text = self.cache.get(key)
        if text is None:
            text = await self.contents.get(noise.digest)
            if text is None:
                raise NoiseInvalid("the noise of the task is no longer stored: submit the task again")
            self.cache.put(key, text)
        return _with(spec, StoredNoise(noise.digest, text))


def _with(spec: TaskSpec, noise: StoredNoise) -> TaskSpec:
    return replace(spec, options=replace(spec.options, noise=noise))
