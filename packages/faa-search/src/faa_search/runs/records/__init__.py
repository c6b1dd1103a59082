"""What the files of runs say, as data: one module for each kind of run."""
