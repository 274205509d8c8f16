"""Other people's videos and tracks."""
