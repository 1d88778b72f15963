"""SQLite as Django knows it, with turns for those who write: see ``turns``."""
