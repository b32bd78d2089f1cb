"""The types of a task's noise."""

from collections.abc import Mapping, Sequence

from ketline.domain.devices.stored_noise import StoredNoise

# A model of noise, by its name with parameters or as {"model": …}, or several of them; see specs/noise.md.
NoiseLayer = Mapping[str, object]


Noise = NoiseLayer | Sequence[NoiseLayer] | StoredNoise
