"""Runs circuits that measure, reset, branch or loop before their end. Used by the method `statevector`.

Shots that had the same outcomes so far share a state and the classical bits; a measurement divides them by its
probabilities. In `run.py` each such group of shots is a row, and gates act on the states of all rows in one pass;
`histories.py` runs one group after another.
"""
