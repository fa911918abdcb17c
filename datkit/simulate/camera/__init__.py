"""Cameras: centres and their protocols, projection, noise and reconstruction."""
