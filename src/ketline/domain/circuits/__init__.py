"""Programs and circuits: formats, methods, gates and what they do to their targets."""
