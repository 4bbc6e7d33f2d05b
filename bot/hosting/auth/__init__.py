"""Authentication in both directions: who calls the bot, and the token the bot calls with."""
