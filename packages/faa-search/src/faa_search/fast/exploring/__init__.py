"""The second stage: rounds of trials, each proposed from those before it."""
