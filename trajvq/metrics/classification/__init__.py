"""Figures of classified clips."""
