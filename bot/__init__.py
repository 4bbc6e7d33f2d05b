"""What an administrator sees and says: hosting, access, commands, cards, notices, languages."""
