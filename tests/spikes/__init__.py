"""Ways out that are kept open: tried, tested, and not in the product."""
