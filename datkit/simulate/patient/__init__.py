"""Patients: a standard head, one person's form of it, and the uptake that their disease leaves."""
