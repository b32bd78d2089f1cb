"""Commands that run the processes of the service, and their HTTP server."""
