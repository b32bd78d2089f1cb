"""The whole service with its monitoring, under load and under faults: what an operator would have seen."""
