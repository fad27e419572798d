"""Figures: Custody's ways against the same work done otherwise, on the same data, in the same run.

Every figure is a ratio of medians. The sides take turns, each starts from freshly loaded tables and a
CHECKPOINT, on a private PostgreSQL with the settings of the default installation.
"""
