"""Measures against the truth: correlation, recovery, asymmetry, z-scores of normal exams."""
