"""What is shown of many tasks while they run."""

from uuid import uuid4

from ketline.cli.client.progress import BatchProgress
from ketline.domain.status import TaskStatus


def test_every_task_is_counted_where_it_stands() -> None:
    ids = [uuid4() for _ in range(6)]
    with BatchProgress(ids) as progress:
        assert progress.summary == "queued 6, running 0, done 0, failed 0"
        for task_id, status in zip(ids, ["processing", "completed", "failed", "cancelled"], strict=False):
            progress.record(task_id, TaskStatus(status))
        progress.record(ids[4], None)
        assert progress.summary == "queued 1, running 1, done 1, failed 3"
        progress.record(ids[0], TaskStatus.PENDING)
    assert progress.summary == "queued 2, running 0, done 1, failed 3"
