"""Numbers and expressions with their derivatives, for gradients and bound parameters."""
