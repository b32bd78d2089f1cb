"""External backends: the conformance suite on each adapter, and a fake remote that fails on demand."""
