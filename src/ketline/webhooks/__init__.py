"""Sends messages about ended tasks to the callbacks of these, by HTTP."""
