"""The prediction of how long the tasks of a queue will occupy slots, by which workers are scaled.

Nothing of a waiting program is known, since only simulators read programs: it is predicted to take as long as the last
ones of its queue.
"""

from dataclasses import dataclass

# The predicted seconds of a task on a queue where no task has run.
ASSUMED_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Durations:
    """A number of tasks, and the seconds for which all of them together occupied slots."""

    tasks: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueDurations:
    """The slots' time that tasks of one queue took.

    `ended` are the last tasks that completed, `last_minute` those of them that completed in the last minute, and
    `running` those that have run for a while by now.
    """

    ended: Durations = Durations()
    last_minute: Durations = Durations()
    running: Durations = Durations()

    def predict_seconds(self, tasks: int) -> float:
        """Predict the seconds of slots that `tasks` tasks of the queue take: for each the mean of the last tasks.

        Running ones count with what they have taken so far. A queue that changes from short programs to long ones is
        predicted by the long ones after a minute, also before the first of them has ended.
        """
        tasks_now = self.last_minute.tasks + self.running.tasks
        if tasks_now:
            return tasks * (self.last_minute.seconds + self.running.seconds) / tasks_now
        return tasks * (self.ended.seconds / self.ended.tasks if self.ended.tasks else ASSUMED_SECONDS)
