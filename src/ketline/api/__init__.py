"""The HTTP API: the application, its routes, and the pages for browsers."""
