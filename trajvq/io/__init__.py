"""Files, remote stores, checkpoints and pixel arrays: what reads and writes, and knows no clip."""
