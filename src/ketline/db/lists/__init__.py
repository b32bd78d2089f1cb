"""Lists, changes, deletions and statistics of stored tasks, for the `TaskCatalogue`."""
