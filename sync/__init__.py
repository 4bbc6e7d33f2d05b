"""How presence flows: from CloudLink, to the desired presence, to Teams. Only the bot sends messages to people."""
