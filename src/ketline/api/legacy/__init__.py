"""Requests and responses in the shapes of clients of older services (specs/compatibility.md)."""
