"""External backends and their jobs."""
