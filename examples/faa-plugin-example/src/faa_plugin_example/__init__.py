"""An example of a plugin for faa: each module is what one entry point names."""
