"""What fair share costs: tasks of one project, and the same load from eight projects that take turns.

`python -m benchmarks.projects` runs both embedded services, and then both distributed ones, at the same time; the one
that has no turn is idle.
"""

from benchmarks.turns import compare

PROJECTS = 8

if __name__ == "__main__":
    compare("projects", __doc__, projects=(1, PROJECTS), columns=("of one project", f"of {PROJECTS}"))
