"""The Teams app package: what Teams shows about the bot before the first message, and the packer that zips it."""
