"""Input and output: files, remote stores, checkpoints and arrays of pixels."""
