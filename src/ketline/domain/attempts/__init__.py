"""What workers do with tasks: leases, retries, stops of claims and dead letters."""
