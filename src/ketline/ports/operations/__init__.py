"""Ports of operation: metrics, traces, history, workers, stops of claims and storage."""
