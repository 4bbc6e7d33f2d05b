"""How presence flows: CloudLink to desired to applied in Teams; it never speaks to people."""
