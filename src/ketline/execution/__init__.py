"""Runs programs in child processes that can be killed.

Exports nothing: the parent's side never imports Qiskit, and the child's side does without what only the parent needs.
"""
