"""What federated training gives beside all exams in one place, and beside each hospital alone."""
