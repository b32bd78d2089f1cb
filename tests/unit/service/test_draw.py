"""Drawings are made once, shared by tasks of the same program, and cached within bounds."""

from uuid import uuid4

import pytest

from ketline.domain.errors import ProgramInvalid, TaskNotFound
from ketline.domain.ids import TaskId
from ketline.domain.tasks.inspection import Drawing, ProgramSource
from ketline.service.inspection.drawings import DrawCircuit, DrawingCache
from tests.inspectors import FakeInspector, FakeProgramLibrary


class Studio:
    """A `DrawCircuit` over fakes; its cache holds two drawings of short programs."""

    def __init__(self, most_characters: int = 30) -> None:
        self.library = FakeProgramLibrary()
        self.inspector = FakeInspector()
        self.draw = DrawCircuit(self.library, self.inspector, DrawingCache(most_characters))

    def store(self, circuit: str, **inputs: float) -> TaskId:
        task_id = TaskId(uuid4())
        self.library.programs[task_id] = ProgramSource(circuit=circuit, inputs=inputs)
        return task_id


async def test_source_is_what_was_submitted_and_needs_no_inspector() -> None:
    studio = Studio()
    assert (await studio.draw.source(studio.store("qubit é;"))).circuit == "qubit é;"
    assert studio.inspector.drawn == []


async def test_same_program_is_drawn_once_for_all_its_tasks() -> None:
    studio = Studio()
    first, second = studio.store("a"), studio.store("a")
    assert [await studio.draw(one, Drawing.SVG) for one in (first, second, first)] == ["svg of a"] * 3
    assert len(studio.inspector.drawn) == 1


async def test_form_program_and_inputs_each_make_another_drawing() -> None:
    studio = Studio(1000)
    asked = [
        (studio.store("a"), Drawing.SVG),
        (studio.store("a"), Drawing.TEXT),
        (studio.store("b"), Drawing.SVG),
        (studio.store("a", theta=0.5), Drawing.SVG),
        (studio.store("a", theta=0.6), Drawing.SVG),
    ]
    for task_id, drawing in asked * 2:
        await studio.draw(task_id, drawing)
    assert len(studio.inspector.drawn) == len(asked)


async def test_least_recently_used_drawing_is_dropped() -> None:
    studio = Studio()
    tasks = [studio.store(name) for name in ("a" * 4, "b" * 4, "c" * 4)]
    for place in (0, 1, 0, 2, 0, 1):
        await studio.draw(tasks[place], Drawing.SVG)
    drawn = [source.circuit[0] for source, _ in studio.inspector.drawn]
    assert drawn == ["a", "b", "c", "b"], "b had to go for c, and a stayed"


async def test_drawing_larger_than_the_cache_is_not_cached() -> None:
    studio = Studio()
    small, large = studio.store("a"), studio.store("x" * 100)
    await studio.draw(small, Drawing.SVG)
    for _ in range(2):
        assert await studio.draw(large, Drawing.SVG) == "svg of " + "x" * 100
    await studio.draw(small, Drawing.SVG)
    assert len(studio.inspector.drawn) == 3, "and the small one stayed"


async def test_failure_is_not_cached() -> None:
    studio = Studio()
    task_id = studio.store("a")
    studio.inspector.error = ProgramInvalid("no")
    with pytest.raises(ProgramInvalid):
        await studio.draw(task_id, Drawing.SVG)
    studio.inspector.error = None
    assert await studio.draw(task_id, Drawing.SVG) == "svg of a"


async def test_unknown_task_is_not_found() -> None:
    with pytest.raises(TaskNotFound):
        await Studio().draw(TaskId(uuid4()), Drawing.SVG)
