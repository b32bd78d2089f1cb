"""What every part of the state machine shares: the real repository, the model, and the comparison after each rule."""

from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant

from ketline.db.lists.catalogue import SqlTaskCatalogue
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.domain.access.principals import ProjectName
from ketline.domain.ids import TaskId
from ketline.domain.tasks.submission import Submission
from tests.statemachine.comparing import compare
from tests.statemachine.model import Model
from tests.statemachine.world import World

# As after a COMMIT whose answer was lost: the very same work is committed twice, and the caller sees the second answer.
TWICE = st.sampled_from([False, False, False, True])


class ModelledMachine(RuleBasedStateMachine):
    """Does the same to both; a subclass sets `world`, which is emptied for each example."""

    world: ClassVar[World]

    def __init__(self) -> None:
        super().__init__()
        self.world.empty()
        self.world.start_process()
        self.model = Model()
        self.submissions: list[Submission] = []
        self.projects: dict[TaskId, ProjectName] = {}

    @property
    def repository(self) -> SqlTaskRepository:
        return self.world.repository

    def repository_of(self, task_id: TaskId) -> SqlTaskRepository:
        """The repository of the project of this task."""
        return self.world.repositories[self.projects[task_id]]

    def catalogue_of(self, task_id: TaskId) -> SqlTaskCatalogue:
        return self.world.catalogues[self.projects[task_id]]

    @invariant()
    def rows_are_as_modelled(self) -> None:
        compare(self.model, self.world.look())
