"""Programs that go into a bundle, and that Codabench runs: plain Python and NumPy, no datkit."""
