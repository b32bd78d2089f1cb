"""Exact expectation values of circuits that measure, reset, branch or loop, or have errors: of all outcomes at once."""

from ketline.execution.simulators.ensembles.choice import acts_on_bits, choose_exact, is_unitary

__all__ = ["acts_on_bits", "choose_exact", "is_unitary"]
