"""Who may: tenants, persons, roles, and the one decision point."""
