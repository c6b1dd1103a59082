"""The content of the files of runs, as data: one module for each kind of run."""
