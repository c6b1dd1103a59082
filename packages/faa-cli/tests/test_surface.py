"""The command line's surface: its flags are frozen, start-up is light, output suits where it goes."""

import re
import subprocess
import sys
from collections.abc import Callable

import pytest
from torch.distributed.run import get_args_parser

from faa_cli.pace import Pace
from faa_cli.reporting import Live, Plain
from faa_cli.showing import show_table
from faa_search.settings import CompareConfig, EvalConfig, SearchConfig, TrainConfig

DATA = [
    "dataset",
    "data_dir",
    "dataset_download",
    "train_split",
    "test_split",
    "input_key",
    "target_key",
    "test_fraction",
    "input_key",
    "target_key",
    "train_subset",
    "img_size",
]
FIT = """
device amp amp_dtype workers model model_kwargs pretrained channels_last torchcompile sync_bn model_ema
model_ema_decay epochs batch_size grad_accum_steps batch_aug copies_per_pass sampling opt opt_eps momentum weight_decay
weight_decay_on decay_before_clip clip_grad lr lr_base_size sched sched_epochs warmup_epochs warmup_lr warmup_prefix
min_lr decay_epochs decay_milestones decay_rate smoothing bce_loss gate_price mixup cutmix mixup_prob
mixup_switch_prob mixup_off_epoch train_crop_mode crop_pad scale ratio hflip color_jitter cutout resident save_every
recovery_interval seed
""".split()
CONTROLLER = """
adversarial controller controller_space controller_sample_pairing controller_max_strength controller_preset
controller_entropy_weight controller_target_entropy controller_lr controller_steps controller_carry_state
controller_freeze_epoch controller_on_collapse
""".split()


def test_no_flag_comes_or_goes_unnoticed():
    search = {
        *(
            "algorithm",
            "sampler",
            "folds",
            "held_out",
            "val_split",
            "init_models",
            "width",
            "depth",
            "batch_proposals",
            "mirror_test",
        ),
        *("warm_start", "sub_policies", "ops", "exclude_ops", "preset", "views", "reward", "common_draws", "top"),
        *("score_batch_size", "rescore", "rescore_views", "audit", "audit_epochs", "audit_seeds"),
        *("executor", "num_processes", "ray_address", "gpus_per_worker", "budget", "stage"),
    }
    train = ["policy", "policy_warmup", "val_fraction", "test_every", "checkpoint_hist", "log_with"]
    assert {*DATA, *FIT, *CONTROLLER, *train} == set(TrainConfig.model_fields)
    assert {*DATA, *FIT, *search} == set(SearchConfig.model_fields)
    own = {"split", "corruptions", "frost", "seed"}
    assert {*DATA, *own, "amp", "amp_dtype", "workers", "device"} == set(EvalConfig.model_fields)


def test_every_setting_is_a_flag_with_help_and_default(faa):
    for command, config in (("train", TrainConfig), ("search", SearchConfig), ("eval", EvalConfig)):
        text = faa(command, "--help").out
        for name, field in config.model_fields.items():
            assert f"--{name.replace('_', '-')}" in text
            assert field.description
    assert "(default: 0.1)" in faa("train", "--help").out


def test_flags_of_policy_convert(faa):
    text = faa("policy", "convert", "--help").out
    own, others = {"--from", "--to", "--name", "--nearest", "--table", "--epoch", "--help"}, {"--adversarial"}
    assert own | others == set(re.findall(r"(?<![\w-])--[a-z-]+", text))


def test_flags_of_model_convert(faa):
    text = faa("model", "convert", "--help").out
    assert {"--model", "--ema", "--help"} == set(re.findall(r"(?<![\w-])--[a-z-]+", text))


def test_help_does_not_import_torch():
    code = "import sys; from faa_cli.main import main; sys.argv = ['faa', 'train', '--help']\n"
    code += "try: main()\nexcept SystemExit: print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


def ticking(*times: float) -> Callable[[], float]:
    """Return a clock that says these times, one after the other."""
    return iter(times).__next__


def test_plain_progress_says_rate_and_ends_with_the_last(capsys):
    with Plain(clock=ticking(0, 8, 12.5)).track("Trials", 4, done=2) as advance:
        advance("first")
        advance("second")
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "Trials: 4/4, 4.5 s each, second"


def test_plain_progress_says_the_time_left(capsys, monkeypatch):
    monkeypatch.setattr("faa_cli.reporting.PLAIN_INTERVAL", 0.0)
    with Plain(clock=ticking(0, 9, 15)).track("Trials", 12) as advance:
        advance()
        advance("so far")
    assert capsys.readouterr().err.splitlines() == ["Trials: 1/12", "Trials: 2/12, 6.0 s each, 1 min left, so far"]


def test_live_progress_ends_full(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("FORCE_COLOR", "1")
    with Live().track("[/x] trials", 3, done=1) as advance:
        advance()
        advance("best [red] :smile: 0.5\x1b[2J")
    shown = capsys.readouterr().err
    assert "3/3" in shown
    assert "[/x] trials" in shown
    assert "best [red] :smile: 0.5\\x1b[2J" in shown


def test_piped_tables_are_plain_and_whole(capsys):
    show_table(("name", "what"), [("a" * 90, "b" * 90), ("[x]", "c")])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:] == ["a" * 90 + "  " + "b" * 90, "[x]" + " " * 89 + "c"]


def paced(*times: float, total: int = 5000, done: int = 0) -> Pace:
    pace = Pace(total, done=done, started=0.0)
    for time in times:
        pace.finish(time)
    return pace


def test_rates_for_people():
    assert [paced(0.2, 0.6).rate, paced(1, 5).rate, paced(1, 301).rate] == ["2.5/s", "4.0 s each", "5 min each"]


def test_nothing_is_said_of_the_rate_before_it_is_known():
    for pace in (paced(), paced(12.2), paced(12.2, 12.3), paced(12.2, 12.2), paced(12.2, 13.2, 14.2, 15.2)):
        assert (pace.each, pace.rate, pace.left) == (None, "", "")


def test_the_rate_is_that_of_this_start_without_what_starting_takes():
    """A resumed search with two workers: they load for 12 s, then take 2 s for a trial."""
    times = [12 + 2 * number + worker / 10 for number in range(1, 41) for worker in (0, 1)]
    pace = paced(*times, done=700)
    assert pace.done == 780
    assert pace.each == pytest.approx(1, rel=0.02)
    assert pace.left == "1 h 10 min left"
    assert paced(*times[:8], done=700).each is None
    assert paced(*times[:9], done=700).each == pytest.approx(1, rel=0.02)


def test_long_units_say_the_time_left_from_the_second_on():
    assert paced(190, 370, total=5).left == "9 min left"
    assert paced(190, 370, total=2).left == ""


def test_no_flag_is_taken_by_a_launcher():
    """Torchrun takes what begins one of its own options for itself, even behind the name of the script."""
    theirs = [option for action in get_args_parser()._actions for option in action.option_strings]
    fields = {*TrainConfig.model_fields, *SearchConfig.model_fields, *CompareConfig.model_fields}
    ours = [f"--{name.replace('_', '-')}" for name in (*sorted(fields), "output", "recipe", "config", "threads")]
    assert "--nproc-per-node" in theirs
    assert [] == [flag for flag in ours for option in theirs if option.startswith(flag)]
