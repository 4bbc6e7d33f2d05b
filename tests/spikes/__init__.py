"""Alternatives that are tested but not in the product."""
