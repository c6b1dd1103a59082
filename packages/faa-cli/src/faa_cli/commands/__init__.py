"""One module per command; each offers a Typer `app` and imports torch only when it runs."""
