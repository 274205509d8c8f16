"""Clips with exact ground truth: motion, camera, rendering, storage, imports and loading."""
