"""A policy of two sub-policies, one of which is drawn for each image."""

from faa_core import Op, Policy, SubPolicies


def zoom_and_light() -> Policy:
    """Return the policy."""
    return SubPolicies(
        name="zoom-and-light",
        sub_policies=(
            (Op(op="Zoom", p=0.8, magnitude=0.7), Op(op="Brightness", p=0.5, magnitude=0.6)),
            (Op(op="Zoom", p=0.8, magnitude=0.3), Op(op="Contrast", p=0.5, magnitude=0.4)),
        ),
        provenance={"algorithm": "by hand"},
    )
