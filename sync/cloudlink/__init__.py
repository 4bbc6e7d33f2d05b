"""Mitel CloudLink: the only place that knows its wire."""
