"""Demo data: deterministic rows for five tenants, made by the database in a few set-based statements."""
