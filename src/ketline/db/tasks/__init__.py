"""The protocol of tasks in SQL: insert, claim, lease, finish, dispatch."""
