"""``setup integration``: three cards, from the credentials of both services to enabled presence."""
