"""Use cases of workers: run one attempt of a task, and hand back tasks that cannot start yet."""
