"""Whether `/validate` tells the method, time and memory that a run then takes: `python -m benchmarks.estimates`."""
