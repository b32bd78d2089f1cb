"""Passes over a circuit: each rewrites it into operations that simulators apply, or finds what one needs to know."""
