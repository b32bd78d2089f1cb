"""Rewrites circuits into the operations that the simulators apply."""
