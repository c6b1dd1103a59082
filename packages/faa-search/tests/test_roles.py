"""What settings decide: every field says it, and what used to be lists of names follows from it."""

from typing import Any

import pytest
from pydantic import Field

from faa_search.settings import CompareConfig, EvalConfig, Role, SearchConfig, Settings, TrainConfig

COMMANDS = (SearchConfig, TrainConfig, CompareConfig, EvalConfig)


@pytest.mark.parametrize("config", COMMANDS, ids=lambda config: config.__name__)
def test_every_field_has_a_role(config: type[Settings]) -> None:
    """Also the fields that a class has from several others."""
    assert config.roles().keys() == config.model_fields.keys()


def test_a_class_that_says_no_role_is_found_out() -> None:
    """It does not take over the role of the class that it extends: that one never spoke of these fields."""

    class Silent(TrainConfig):
        more: int = Field(default=0)

    with pytest.raises(KeyError, match="role"):
        Silent.roles()


ROLES: dict[Role, set[str]] = {  # as they stood in lists of names, by hand
    Role.PLACE: {"data_dir", "dataset", "input_key", "target_key"},
    Role.NETWORK: {"model", "model_kwargs", "img_size", "train_split", "val_split", "train_subset"},
    Role.CHOICE: {"top", "rescore", "rescore_views"},
    Role.DEVICE: {"device"},
    Role.PACE: {
        "audit", "audit_epochs", "audit_seeds", "budget", "dataset_download", "executor", "gpus_per_worker",
        "mirror_test", "num_processes", "ray_address", "recovery_interval", "resident", "save_every", "stage",
        "workers",
    },
}  # fmt: skip


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_roles_are_what_the_lists_were(role: Role) -> None:
    """A setting that changes its role changes which runs can go on, and which policies are the same."""
    assert ROLES[role] == SearchConfig.names(role)


def test_a_training_may_go_on_with_other_logs() -> None:
    """The one setting of pace that a search lacks."""
    assert TrainConfig.names(Role.PACE) - SearchConfig.names(Role.PACE) == {"log_with"}


def test_all_else_decides_the_result() -> None:
    """No field is of two roles or of none."""
    by_role: list[Any] = [SearchConfig.names(role) for role in Role]
    assert sum(map(len, by_role)) == len(SearchConfig.model_fields)
    assert {"lr", "seed", "reward", "sampler", "init_models", "test_split"} <= SearchConfig.names(Role.RESULT)
