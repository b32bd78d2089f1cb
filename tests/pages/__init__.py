"""Pages of the documentation that are made from what a real service answers."""
