"""Tasks as clients see them: what is submitted, listed, changed and given back."""
