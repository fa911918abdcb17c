"""Whole pages that open offline: the exam report and the contact sheet."""
