"""Does with a client of openapi-python-client what `tests/acceptance/test_generated_clients.py` asks for."""

import json
import sys

from generated_client import Client
from generated_client.api.tasks import read_counts, read_task, submit_task
from generated_client.models import (
    Problem,
    SubmitRequest,
    SubmitRequestInputs,
    SubmitRequestObservablesType0Item,
    TaskAccepted,
    TaskView,
)


def main(url: str, bell: str, rotation: str) -> None:
    with Client(base_url=url) as client:
        accepted = submit_task.sync(client=client, body=SubmitRequest(qc=bell, shots=100))
        assert isinstance(accepted, TaskAccepted)
        waited = read_task.sync(accepted.task_id, client=client, wait=60)
        assert isinstance(waited, TaskView)
        counts = read_counts.sync(accepted.task_id, client=client)
        ended = submit_task.sync(client=client, body=SubmitRequest(qc=bell, shots=100), prefer="wait=60")
        assert isinstance(ended, TaskView)
        values = submit_task.sync(
            client=client,
            body=SubmitRequest(
                qc=rotation,
                inputs=SubmitRequestInputs.from_dict({"theta": 0.0}),
                observables=[SubmitRequestObservablesType0Item.from_dict({"Z": 1.5})],
            ),
            prefer="wait=60",
        )
        assert isinstance(values, TaskView)
        again = [
            submit_task.sync_detailed(client=client, body=SubmitRequest(qc=bell), idempotency_key="again")
            for _ in range(2)
        ]
        assert all(isinstance(response.parsed, TaskAccepted) for response in again)
        problem = submit_task.sync(client=client, body=SubmitRequest(qc=bell, circuit=bell + " "))
        assert isinstance(problem, Problem)
    report = {
        "status": waited.status,
        "result": waited.result.counts.to_dict(),
        "counts": counts.to_dict(),
        "ended": [ended.status, ended.result.counts.to_dict()],
        "values": values.result.expectation_values,
        "again": [str(response.parsed.task_id) for response in again],
        "problem": [problem.status, problem.code, problem.errors[0].pointer],
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main(*sys.argv[1:])
