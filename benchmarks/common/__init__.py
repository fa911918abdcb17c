"""What benchmarks share: figures beside their targets, and the way from them to results."""
