"""These are programs to run in a replica, not modules to import."""

collect_ignore_glob = ["*.py"]
