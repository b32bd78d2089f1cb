"""The side of the worker or API process: starts simulator processes and sends them requests."""
