"""Large models of noise of tasks: each is stored once, and tasks have its digest.

Submissions call `TaskNoise` before their tasks are stored, and workers before they run a task.
"""

from dataclasses import dataclass, field, replace
from math import inf

from ketline.domain.errors import NoiseInvalid
from ketline.domain.spec import TaskSpec
from ketline.domain.stored_noise import StoredNoise, large_noise
from ketline.ports.clock import Clock
from ketline.ports.noise_contents import NoiseContents
from ketline.service.task_devices import KEPT_AGAIN_AFTER, KnownContents


@dataclass(frozen=True, slots=True)
class TaskNoise:
    """Keeps and reads the models of tasks; those that were used last are known without the database."""

    contents: NoiseContents
    clock: Clock
    known: KnownContents = field(default_factory=KnownContents)

    async def kept(self, spec: TaskSpec) -> TaskSpec:
        """Return the spec of a submission, whose noise, if it is large, has been stored for its task.

        Raises:
            DatabaseUnavailable: it is not known to be stored.
        """
        if spec.options.noise is None:
            return spec
        stored = large_noise(spec.options.noise)
        if stored is None:
            return spec
        known, now = self.known, self.clock.monotonic()
        if now - known.kept_at.get(stored.digest, -inf) >= KEPT_AGAIN_AFTER.total_seconds():
            await self.contents.keep(stored.digest, stored.text)
            known.put(stored.digest, stored.text)
            known.kept_at[stored.digest] = now
        return _with(spec, stored)

    async def completed(self, spec: TaskSpec) -> TaskSpec:
        """Return the spec of a task, whose noise, if it was stored, has its text.

        Raises:
            NoiseInvalid: the model is lost.
            DatabaseUnavailable: it could not be read.
        """
        noise = spec.options.noise
        if not isinstance(noise, StoredNoise) or noise.text:
            return spec
        text = self.known.get(noise.digest)
        if text is None:
            text = await self.contents.get(noise.digest)
            if text is None:
                raise NoiseInvalid("the noise of the task is no longer stored: submit the task again")
            self.known.put(noise.digest, text)
        return _with(spec, StoredNoise(noise.digest, text))


def _with(spec: TaskSpec, noise: StoredNoise) -> TaskSpec:
    return replace(spec, options=replace(spec.options, noise=noise))
