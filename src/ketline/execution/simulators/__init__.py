"""Simulates circuits: the choice of a method, the methods, and limits on memory and threads."""
