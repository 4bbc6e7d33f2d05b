"""The Teams app package: what Teams shows of the bot before the first word, and the packer that zips it."""
