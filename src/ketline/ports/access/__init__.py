"""Ports of access: credentials, projects, limits of rates, usage and the audit log."""
