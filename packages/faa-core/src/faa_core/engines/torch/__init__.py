"""The engine in plain torch, for any device: the reference for the compiled ones."""
