"""Connections, transactions and dialects: what runs the SQL of the other packages of `db`."""
