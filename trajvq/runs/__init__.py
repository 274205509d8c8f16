"""What a run folder is, and how a run survives."""
