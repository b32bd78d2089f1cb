"""The use cases, on ports only: `runtime` gives them their adapters."""
