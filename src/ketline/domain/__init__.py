"""Values and rules of tasks, without any input or output; every other package may use them."""
