"""Scores of clips from any program."""
