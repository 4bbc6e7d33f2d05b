"""Files to download by links that end: history, people, diagnostics."""
