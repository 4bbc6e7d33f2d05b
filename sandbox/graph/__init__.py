"""Microsoft Graph v1.0: the directory, applications, presence and ``$batch``, rejecting what Graph rejects."""
