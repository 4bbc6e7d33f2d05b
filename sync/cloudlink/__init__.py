"""Mitel CloudLink: the only package that knows its wire format."""
