"""Pictures and tables that show the truth at a glance."""
