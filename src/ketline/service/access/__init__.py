"""Use cases about access: verify who sent a request, and manage API keys and projects."""
