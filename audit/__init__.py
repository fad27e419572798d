"""What happened: governed entities, capture by the database, events, history."""
