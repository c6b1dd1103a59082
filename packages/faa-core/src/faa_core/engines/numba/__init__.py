"""The engine for processors: instructions carried out image by image, compiled by numba."""
