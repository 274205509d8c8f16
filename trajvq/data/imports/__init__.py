"""Import of videos and tracks."""
