"""Middleware and checks that every request passes before its route."""
