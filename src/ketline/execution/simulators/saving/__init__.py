"""Outputs of states: how they are simulated, and computed."""

from ketline.execution.simulators.saving.outputs import Saved, choose_for_outputs, saved_outputs

__all__ = ["Saved", "choose_for_outputs", "saved_outputs"]
