"""CloudLink, Entra ID and Graph as one local server, with a switchboard: for the demo and the tests."""
