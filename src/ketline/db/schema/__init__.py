"""The tables, their migration, and the conversion between rows and domain values."""
