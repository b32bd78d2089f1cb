"""Notifications of committed changes between processes."""
