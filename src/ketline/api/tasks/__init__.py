"""The routes of tasks: submit, read, list, change and follow them."""
