"""What operators watch: health checks, heartbeats of workers, their simulators, and dead letters."""
