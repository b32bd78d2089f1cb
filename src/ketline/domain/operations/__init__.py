"""What operators see and do: metrics, history, connections, the schema, checks and backups."""
