"""The shapes of HTTP requests and responses, as Pydantic models."""
