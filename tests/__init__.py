"""Tests. They run several at a time, so each process has one thread for matrices, as simulator processes have."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
