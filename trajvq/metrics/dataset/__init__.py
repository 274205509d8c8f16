"""Verification of a dataset: files, columns, ground truth and leaks."""
