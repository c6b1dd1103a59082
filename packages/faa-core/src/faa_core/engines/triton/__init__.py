"""The engine for CUDA devices: a batch in one launch."""
