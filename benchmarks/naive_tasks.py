"""The naive design: a Celery task that reads, transpiles and runs a program with what Qiskit and Aer do by default.

`celery --app benchmarks.naive_tasks worker` is its worker. As a program, `python -m benchmarks.naive_tasks`, it submits
as many Bell programs as a line that it reads says, and prints when the first was submitted, in seconds since the epoch.
"""

import os
import sys
import time
from collections.abc import Mapping

from celery import Celery
from celery.signals import worker_process_init
from qiskit import qasm3, transpile
from qiskit_aer import AerSimulator
from sqlalchemy import make_url

from benchmarks.programs import BELL, SHOTS
from ketline.simulator import die_with_parent

# Celery's result backend is synchronous.
_RESULTS = make_url(os.environ["DATABASE_URL"]).set(drivername="postgresql+psycopg")

app = Celery("naive", broker=os.environ["KETLINE_QUEUE_URL"])
app.conf.update(
    result_backend=f"db+{_RESULTS.render_as_string(hide_password=False)}",
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
)


def run_program(program: str, shots: int) -> Mapping[str, int]:
    """The counts of a program."""
    circuit = qasm3.loads(program)
    simulator = AerSimulator()
    counts: Mapping[str, int] = simulator.run(transpile(circuit, simulator), shots=shots).result().get_counts()
    return counts


run_task = app.task(name="naive.run")(run_program)


def end_with_worker(**_: object) -> None:
    """Let no process of the pool outlive its worker, however that ends."""
    die_with_parent(os.getppid())


worker_process_init.connect(end_with_worker)


def main() -> None:
    for line in sys.stdin:
        started = time.time()
        for _ in range(int(line)):
            run_task.delay(BELL, SHOTS)
        print(started, flush=True)


if __name__ == "__main__":
    main()
