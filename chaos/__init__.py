"""Faults at random against a real installation, and an independent look at what must hold: see docs/reliability.md."""
