"""Finding policies: what all algorithms share, and an algorithm in each folder."""
