"""Run directories: whose they are, what their files are called, and what they hold."""
