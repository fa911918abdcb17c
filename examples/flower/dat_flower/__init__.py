"""datkit's federated training as a Flower app: one round's order out, weights back."""
