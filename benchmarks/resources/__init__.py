"""Build the data that ship inside the package: committed, and tested against this code."""
