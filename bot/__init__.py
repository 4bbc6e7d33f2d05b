"""What administrators see and type: hosting, roles, commands, cards, notices, languages."""
