"""Changed sources that the tests should notice: `nox -s mutants -- N [SEED [FOLDER]]`."""
