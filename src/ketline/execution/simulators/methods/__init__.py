"""The simulation methods, each a class in a module of its own, and the choice between them."""

from ketline.execution.simulators.methods.choice import SIMULATION_METHODS, choose, choose_observed
from ketline.execution.simulators.methods.method import Choice, SimulationMethod
from ketline.execution.simulators.methods.stabilizer import CLIFFORD_GATES

__all__ = ["CLIFFORD_GATES", "SIMULATION_METHODS", "Choice", "SimulationMethod", "choose", "choose_observed"]
