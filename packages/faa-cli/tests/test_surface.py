"""The command line's surface: its flags are frozen, start-up is light, output suits where it goes."""

import re
import subprocess
import sys

from torch.distributed.run import get_args_parser

from faa_cli.reporting import Live, Plain, rate
from faa_cli.showing import show_table
from faa_search.config import CompareConfig, EvalConfig, SearchConfig, TrainConfig

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
model_ema_decay epochs batch_size grad_accum_steps batch_aug sampling opt opt_eps momentum weight_decay
weight_decay_on decay_before_clip clip_grad lr lr_base_size sched sched_epochs warmup_epochs warmup_lr warmup_prefix
min_lr decay_epochs decay_milestones decay_rate smoothing bce_loss gate_price mixup cutmix mixup_prob
mixup_switch_prob mixup_off_epoch train_crop_mode crop_pad scale ratio hflip color_jitter cutout resident save_every
recovery_interval seed
""".split()


def test_no_flag_comes_or_goes_unnoticed():
    search = {
        *("algorithm", "sampler", "folds", "held_out", "val_split", "init_models", "width", "depth", "batch_proposals"),
        *("warm_start", "sub_policies", "ops", "exclude_ops", "preset", "views", "reward", "common_draws", "top"),
        *("score_batch_size", "rescore", "rescore_views", "audit", "audit_epochs", "audit_seeds"),
        *("executor", "num_processes", "ray_address", "gpus_per_worker", "budget", "stage"),
    }
    train = ["policy", "val_fraction", "test_every", "checkpoint_hist", "log_with"]
    assert {*DATA, *FIT, *train} == set(TrainConfig.model_fields)
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
    assert {"--from", "--to", "--name", "--nearest", "--table", "--help"} == set(
        re.findall(r"(?<![\w-])--[a-z-]+", text)
    )


def test_flags_of_model_convert(faa):
    text = faa("model", "convert", "--help").out
    assert {"--model", "--ema", "--help"} == set(re.findall(r"(?<![\w-])--[a-z-]+", text))


def test_help_does_not_import_torch():
    code = "import sys; from faa_cli.main import main; sys.argv = ['faa', 'train', '--help']\n"
    code += "try: main()\nexcept SystemExit: print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


def test_plain_progress_says_rate_and_ends_with_the_last(capsys):
    with Plain().track("Trials", 4, done=2) as advance:
        advance("first")
        advance("second")
    (line,) = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"Trials: 4/4, [\d.]+/s, second", line)


def test_plain_progress_says_the_time_left(capsys, monkeypatch):
    monkeypatch.setattr("faa_cli.reporting.PLAIN_INTERVAL", 0.0)
    with Plain().track("Trials", 3) as advance:
        advance()
        advance()
    lines = capsys.readouterr().err.splitlines()
    assert [line[:12] for line in lines] == ["Trials: 1/3,", "Trials: 2/3,"]
    assert lines[1].endswith("under 1 s left")


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


def test_figures_for_people():
    assert [rate(10, 4), rate(1, 4), rate(1, 300), rate(0, 4)] == ["2.5/s", "4.0 s each", "5 min each", ""]


def test_no_flag_is_taken_by_a_launcher():
    """Torchrun takes what begins one of its own options for itself, even behind the name of the script."""
    theirs = [option for action in get_args_parser()._actions for option in action.option_strings]
    fields = {*TrainConfig.model_fields, *SearchConfig.model_fields, *CompareConfig.model_fields}
    ours = [f"--{name.replace('_', '-')}" for name in (*sorted(fields), "output", "recipe", "config", "threads")]
    assert "--nproc-per-node" in theirs
    assert [] == [flag for flag in ours for option in theirs if option.startswith(flag)]
