"""The servers of the default installation: PostgreSQL, Valkey, and the supervisor of our own processes.

Nothing here imports Django: these modules run before there are settings to read.
"""
