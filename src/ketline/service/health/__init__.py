"""The state of the service for operators: health checks, heartbeats of workers, their simulators, and dead letters."""
