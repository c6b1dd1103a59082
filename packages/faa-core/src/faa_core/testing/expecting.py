"""How a contract names the rule that is broken."""


def expect(kept: bool, rule: str) -> None:
    """Raise an AssertionError unless a rule is kept; in place of `assert`, which `python -O` leaves out."""
    if not kept:
        raise AssertionError(f"Not kept: {rule}.")
