"""Run folders: checkpoints, resuming, provenance, loggers and remote mirrors."""
