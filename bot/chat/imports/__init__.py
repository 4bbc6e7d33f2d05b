"""Files that people send: fetched, and read as wishes by line."""
