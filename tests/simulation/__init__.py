"""A simulated day of a company: the real sync on a virtual clock, with small models of everything around it."""
