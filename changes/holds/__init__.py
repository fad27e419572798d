"""Legal holds: rows, tables or a whole tenant that no change touches until another person lifts the hold."""
