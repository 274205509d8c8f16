"""Clips on disk: shards, manifest, reading, splits."""
