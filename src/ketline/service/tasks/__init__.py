"""Use cases of clients: submit a task, change it, run it again, wait for it, count tasks."""
