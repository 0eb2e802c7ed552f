"""Nothing is read from files here."""
