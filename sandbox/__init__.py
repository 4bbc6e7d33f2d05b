"""CloudLink, Entra ID and Graph as one local server with a switchboard page: for the demo and the tests."""
