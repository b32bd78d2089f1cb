"""Large models of noise of tasks: each is stored once, and its tasks refer to it by its digest.

Submissions call `TaskNoise` before their tasks are stored, and workers before they run a task.
"""

from dataclasses import dataclass, field, replace

from ketline.domain.errors import NoiseInvalid
from ketline.domain.spec import TaskSpec
from ketline.domain.stored_noise import StoredNoise, large_noise
from ketline.ports.clock import Clock
from ketline.ports.noise_contents import NoiseContents
from ketline.service.content_cache import ContentCache


@dataclass(frozen=True, slots=True)
class TaskNoise:
    """Stores and loads the models of tasks; the database is not read for those in the cache."""

    contents: NoiseContents
    clock: Clock
    cache: ContentCache = field(default_factory=ContentCache)

    async def store(self, spec: TaskSpec) -> TaskSpec:
        """Return the spec of a submission; if its noise is large, it is stored, and the spec refers to it.

        Raises:
            DatabaseUnavailable: it is not known to be stored.
        """
        if spec.options.noise is None:
            return spec
        stored = large_noise(spec.options.noise)
        if stored is None:
            return spec
        now = self.clock.monotonic()
        if not self.cache.was_stored_recently(stored.digest, now):
            await self.contents.keep(stored.digest, stored.text)
            self.cache.put_stored(stored.digest, stored.text, now)
        return _with(spec, stored)

    async def load(self, spec: TaskSpec) -> TaskSpec:
        """Return the spec of a task with the text of its noise, if that was stored.

        Raises:
            NoiseInvalid: the model is lost.
            DatabaseUnavailable: it could not be read.
        """
        noise = spec.options.noise
        if not isinstance(noise, StoredNoise) or noise.text:
            return spec
        text = self.cache.get(noise.digest)
        if text is None:
            text = await self.contents.get(noise.digest)
            if text is None:
                raise NoiseInvalid("the noise of the task is no longer stored: submit the task again")
            self.cache.put(noise.digest, text)
        return _with(spec, StoredNoise(noise.digest, text))


def _with(spec: TaskSpec, noise: StoredNoise) -> TaskSpec:
    return replace(spec, options=replace(spec.options, noise=noise))
