"""The routes of access: keys, projects, and who sent a request."""
