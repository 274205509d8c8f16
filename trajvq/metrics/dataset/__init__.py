"""Checks of a dataset against its own promises."""
