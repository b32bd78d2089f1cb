"""The `ketline` command: `main.py` lists its commands."""
