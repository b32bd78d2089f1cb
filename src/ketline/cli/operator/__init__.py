"""Commands for operators, which work on the service's database and settings."""
