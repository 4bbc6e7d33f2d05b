"""The switchboard: what the page and the tests see of the world, and the handles they turn it with."""
