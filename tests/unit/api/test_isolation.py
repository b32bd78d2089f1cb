"""What a member of one project could infer about another from ids, seeds and caches."""

import random
import re

import httpx

from ketline.api.rights import PUBLIC, RIGHTS
from ketline.domain.access.principals import ProjectName
from ketline.domain.tasks.inspection import Drawing, ProgramSource
from ketline.domain.tasks.spec import TaskSpec
from ketline.domain.tasks.task_ids import TaskIds
from ketline.service.services import Services
from tests.fakes import FakeTaskRepository
from tests.inspectors import FakeInspector

SOME_ID = "7f0c6a4f-2c1d-4e7f-9a3b-5c6d7e8f9a0b"


def test_ids_of_a_project_do_not_count_the_tasks_of_another(services: Services) -> None:
    """The counter within an id would tell how many tasks others submitted in the same millisecond."""
    ours, theirs = (services.within(ProjectName(name)).submit.new_id for name in ("ours", "theirs"))
    made = [(ours(), theirs()) for _ in range(1000)]
    times_and_counters = [{one.int >> 64 for one in ids} for ids in zip(*made, strict=True)]
    assert times_and_counters[0] & times_and_counters[1]


def test_ids_are_not_drawn_from_the_predictable_generator() -> None:
    """A few hundred own ids would give its state, and with it the ids of others and how many they are."""
    before = random.getstate()
    TaskIds()()
    assert random.getstate() == before


async def test_seeds_are_not_drawn_from_the_predictable_generator(
    repository: FakeTaskRepository, client: httpx.AsyncClient
) -> None:
    before = random.getstate()
    assert (await client.post("/tasks", json={"qc": "x"})).status_code == 202
    assert random.getstate() == before
    assert repository.submissions[0].spec.options.seed is not None


async def test_programs_are_read_for_the_project_of_the_sender(services: Services, inspector: FakeInspector) -> None:
    """A program that is read faster because another project has sent it would tell that it did."""
    for name in ("ours", "theirs"):
        within = services.within(ProjectName(name))
        await within.validate(TaskSpec(circuit="x", shots=1))
        await within.draw.program(ProgramSource(circuit="x"), Drawing.SVG)
    assert inspector.projects == ["ours", "ours", "theirs", "theirs"]


async def test_no_cache_gives_a_response_to_another_member(client: httpx.AsyncClient) -> None:
    """Also one that is not found, which caches may keep where nothing forbids it (RFC 9111, section 4.2.2)."""
    kept = {}
    for (method, path), role in RIGHTS.items():
        # A stream has no end, its headers are those of HEAD.
        asked = "HEAD" if path == "/tasks/events" else method
        response = await client.request(asked, re.sub(r"\{[^}]+\}", SOME_ID, path))
        if role is not PUBLIC and not re.search(r"\bno-(store|cache)\b", response.headers.get("cache-control", "")):
            kept[method, path] = response.headers
    assert kept == {}
