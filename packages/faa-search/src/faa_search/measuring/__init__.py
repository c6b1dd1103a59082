"""What trained networks come to: test errors, corruptions, comparisons of policies."""
