"""Observables and final states of circuits: what they depend on, and their values in a state."""
