"""Opens the services of an API process, and the loops that run beside them; for `api.py` and `embedded.py`."""

from ketline.runtime.services.composition import open_services

__all__ = ["open_services"]
