"""What the simulated cohort must show: likeness to a real map, physics, geometry, difficulty."""
