"""Exact states of governed tables: taken, ticked, measured, looked at, compared."""
