"""The adapters for PostgreSQL and SQLite, behind the ports of repositories, catalogue and workers."""
