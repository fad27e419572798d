"""The PostgreSQL backend that carries the context into the database."""
