"""Models on one board: the kit's, beside oracle, panel, controls and the challenge's ranks."""
