"""Who does the work: processes of one training (ranks), and executors of tasks; how they start, meet, stop and end."""
