"""The cards about people: the list, one person, and why Teams shows what it shows."""
