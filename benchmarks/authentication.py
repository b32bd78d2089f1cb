"""What authentication costs: one service with keys and one without, under the same load in turns.

`python -m benchmarks.authentication` runs both embedded services, and then both distributed ones, at the same time; the
one that has no turn is idle.
"""

from benchmarks.turns import compare

if __name__ == "__main__":
    compare("authentication", __doc__, projects=(0, 1), columns=("without keys", "with keys"))
