"""What happened over a day or a week, and what would happen: the report, and the drill."""
