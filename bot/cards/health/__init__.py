"""How an integration is doing: status, its expiry, the connection test, and the remedies of faults."""
