"""Loops of every API and worker process: dispatch due tasks, reap expired leases, delete old tasks."""
