"""Who may do what, and how much: principals, groups, quotas, limits of rates, usage and the audit log."""
