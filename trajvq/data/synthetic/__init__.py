"""Clips of objects on known 3-D paths."""
