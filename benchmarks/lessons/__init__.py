"""The challenge's lessons, tried on a simulated cohort: each with its numbers, held or not."""
