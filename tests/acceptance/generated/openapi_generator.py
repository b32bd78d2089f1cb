"""Does with a client of openapi-generator what `tests/acceptance/test_generated_clients.py` asks for."""

import json
import sys

from generated_client import ApiClient, Configuration, TasksApi
from generated_client.exceptions import UnprocessableEntityException
from generated_client.models import Observables, Problem, SubmitRequest, TaskAccepted, TaskView


def main(url: str, bell: str, rotation: str) -> None:
    with ApiClient(Configuration(host=url)) as client:
        tasks = TasksApi(client)
        accepted = tasks.submit_task(SubmitRequest(qc=bell, shots=100))
        assert isinstance(accepted, TaskAccepted)
        waited = tasks.read_task(accepted.task_id, wait=60)
        assert isinstance(waited, TaskView)
        counts = tasks.read_counts(accepted.task_id)
        ended = tasks.submit_task(SubmitRequest(qc=bell, shots=100), prefer="wait=60")
        assert isinstance(ended, TaskView)
        request = SubmitRequest(qc=rotation, inputs={"theta": 0.0}, observables=Observables([{"Z": 1.5}]))
        values = tasks.submit_task(request, prefer="wait=60")
        assert isinstance(values, TaskView)
        again = [tasks.submit_task(SubmitRequest(qc=bell), idempotency_key="again") for _ in range(2)]
        assert all(isinstance(response, TaskAccepted) for response in again)
        problem = _rejected(tasks, bell)
    report = {
        "status": waited.status,
        "result": waited.result.counts.actual_instance,
        "counts": counts.actual_instance,
        "ended": [ended.status, ended.result.counts.actual_instance],
        "values": values.result.expectation_values.actual_instance,
        "again": [str(response.task_id) for response in again],
        "problem": [problem.status, problem.code, problem.errors[0].pointer],
    }
    print(json.dumps(report))


def _rejected(tasks: TasksApi, bell: str) -> Problem:
    """The problem of a submission that the generated model lets through and the service rejects."""
    try:
        tasks.submit_task(SubmitRequest(qc=bell, circuit=bell + " "))
    except UnprocessableEntityException as error:
        problem = error.data
    assert isinstance(problem, Problem)
    return problem


if __name__ == "__main__":
    main(*sys.argv[1:])
