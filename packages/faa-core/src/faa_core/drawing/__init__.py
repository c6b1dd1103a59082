"""From keys to instructions: what is done to each image of a batch."""
