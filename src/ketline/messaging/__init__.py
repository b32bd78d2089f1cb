"""The adapters for queues: in memory for the embedded service, brokers for the distributed one."""
