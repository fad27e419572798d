"""Tables of one shape under different kinds of history: ours, simple-history's, pghistory's, none."""
