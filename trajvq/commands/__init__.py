"""The commands, one file each, and what reads the command line."""
