"""Reads programs: OpenQASM 3, OpenQASM 2 and QPY become circuits, or errors with a position."""
