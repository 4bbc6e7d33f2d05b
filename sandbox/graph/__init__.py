"""Microsoft Graph v1.0: the directory, applications, presence and ``$batch``, refusing what Graph refuses."""
