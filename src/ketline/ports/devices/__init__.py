"""Ports of stored devices and models of noise."""
