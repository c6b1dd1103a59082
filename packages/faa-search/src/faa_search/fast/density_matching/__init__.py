"""What is measured: how well networks that never saw a policy's images predict them, as tasks that any worker does."""
