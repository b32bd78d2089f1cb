"""What is told of tasks."""

from ketline.cli.show import ending


def test_a_task_that_is_not_there_may_never_have_been() -> None:
    assert ending("id", None) == "id: not found: it was never submitted, or has been deleted"
