"""`python -m faa_cli`, for launchers that start modules."""

from faa_cli.start import main

if __name__ == "__main__":
    main()
