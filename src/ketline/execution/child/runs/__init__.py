"""What a task asks of its program: counts, expectation values, or states; each in one module."""
