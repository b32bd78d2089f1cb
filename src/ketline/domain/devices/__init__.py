"""Devices and noise: what a task is placed on, and which errors its operations have."""
