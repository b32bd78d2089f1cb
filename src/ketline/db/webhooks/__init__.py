"""Deliveries of messages about ended tasks, and the secrets that sign them."""
