"""Entra ID and Microsoft Graph: the only place that knows msal and msgraph-sdk."""
