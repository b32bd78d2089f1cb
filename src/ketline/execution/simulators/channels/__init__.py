"""Models of noise: the channels that follow gates, and how measurements are misread."""

from ketline.execution.simulators.channels.channel import Channel, ErrorOperation, Kind, Term
from ketline.execution.simulators.channels.layer import Misreading
from ketline.execution.simulators.channels.model import NoiseModel, NoiseModels

__all__ = ["Channel", "ErrorOperation", "Kind", "Misreading", "NoiseModel", "NoiseModels", "Term"]
