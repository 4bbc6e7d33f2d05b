"""Mitel CloudLink: authentication, admin, media and notifications, and the webhooks it sends."""
