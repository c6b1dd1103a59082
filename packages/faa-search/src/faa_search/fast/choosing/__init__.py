"""The third stage: second scores for the best trials, their union as the policy, and its comparison with controls."""
