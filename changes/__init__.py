"""The engine: select, plan, freeze, run in chunks, verify, undo. Knows no ticket."""
