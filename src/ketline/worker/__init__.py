"""The worker process: consumes task ids from the queue and runs the tasks on simulators."""
