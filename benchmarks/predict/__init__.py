"""How long `datkit predict` takes for one scan, and how much of that is preparation."""
