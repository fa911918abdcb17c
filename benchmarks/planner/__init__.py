"""Contests between the kit's own models, held many times, beside what the planner says of them."""
