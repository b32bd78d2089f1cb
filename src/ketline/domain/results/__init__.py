"""What a run computes beside its circuit: counts, outputs, expectation values, gradients and corrections."""
