from ketline.domain.tasks.task_ids import TaskIds


def test_ids_grow_and_are_of_version_7() -> None:
    new_id = TaskIds()
    ids = [new_id() for _ in range(10_000)]
    assert ids == sorted(set(ids))
    assert {(made.version, made.variant) for made in ids} == {(7, "specified in RFC 4122")}
