"""Scores of anyone's clips."""
