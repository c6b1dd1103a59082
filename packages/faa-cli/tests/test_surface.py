"""The command line's surface: its flags are frozen, start-up is light, output suits where it goes."""

import io
import re
import subprocess
import sys

from rich.console import Console
from torch.distributed.run import get_args_parser

from faa_cli.showing import Live, Plain, duration, rate, show_table
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
    assert {"--from", "--to", "--name", "--table", "--help"} == set(re.findall(r"(?<![\w-])--[a-z-]+", text))


def test_flags_of_model_convert(faa):
    text = faa("model", "convert", "--help").out
    assert {"--model", "--ema", "--help"} == set(re.findall(r"(?<![\w-])--[a-z-]+", text))


def test_help_does_not_import_torch():
    code = "import sys; from faa_cli.main import main; sys.argv = ['faa', 'train', '--help']\n"
    code += "try: main()\nexcept SystemExit: print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


def test_plain_progress_says_rate_and_time_left():
    stream = io.StringIO()
    with Plain(Console(file=stream)).track("Trials", 4, done=2) as advance:
        advance("first")
        advance("second")
    assert stream.getvalue().startswith("Trials: 4/4, ")
    assert "0 s left, second" in stream.getvalue()


def test_live_progress_ends_full():
    stream = io.StringIO()
    with Live(Console(file=stream, force_terminal=True, width=120)).track("Trials", 3, done=1) as advance:
        advance()
        advance("best 0.5")
    assert "3/3" in stream.getvalue()
    assert "best 0.5" in stream.getvalue()


def test_piped_tables_are_plain_and_whole(capsys):
    show_table(("name", "what"), [("a" * 90, "b" * 90), ("[x]", "c")])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:] == ["a" * 90 + "  " + "b" * 90, "[x]" + " " * 89 + "c"]


def test_figures_for_people():
    assert [duration(seconds) for seconds in (4.4, 61, 3600 * 2 + 300)] == ["4 s", "1 min", "2 h 5 min"]
    assert [rate(10, 4), rate(1, 4), rate(0, 4)] == ["2.5/s", "4.0 s each", ""]


def test_no_flag_is_taken_by_a_launcher():
    """Torchrun takes what begins one of its own options for itself, even behind the name of the script."""
    theirs = [option for action in get_args_parser()._actions for option in action.option_strings]
    fields = {*TrainConfig.model_fields, *SearchConfig.model_fields, *CompareConfig.model_fields}
    ours = [f"--{name.replace('_', '-')}" for name in (*sorted(fields), "output", "recipe", "config", "threads")]
    assert "--nproc-per-node" in theirs
    assert [] == [flag for flag in ours for option in theirs if option.startswith(flag)]
