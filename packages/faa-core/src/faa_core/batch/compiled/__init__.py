"""The engine for processors: instructions drawn and carried out image by image, compiled by numba."""
