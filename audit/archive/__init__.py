"""Cold storage: rows that will be removed, written typed to Parquet files, read back and compared bit by bit."""
