"""The kinds of runs of a program: counts, expectation values, or states; each in one module."""
