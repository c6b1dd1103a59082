"""Engines that carry out instructions with the same bits, and which of them to take."""
