"""trajvq: video tokenizers that keep small moving objects, and the measurements that prove it."""

__version__ = "0.1.0"
