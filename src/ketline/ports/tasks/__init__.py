"""Ports of tasks: their repositories, queues, notifications, and what runs and inspects programs."""
