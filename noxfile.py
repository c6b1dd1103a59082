# /// script
# dependencies = ["nox[uv]>=2025.5.1"]
# ///
"""The repository's commands: `nox -s NAME`. Without uv everything works too, only slower."""

import hashlib
import tarfile
import tempfile
from pathlib import Path

import nox

nox.needs_version = ">=2025.5.1"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.sessions = ["tests", "lint", "types"]

ROOT = Path(__file__).parent
PACKAGES = {  # in the order they build on each other, with those each one needs
    "faa-core": (),
    "faa-models": (),
    "faa-search": ("faa-core",),
    "faa-cli": ("faa-core", "faa-models", "faa-search"),
}
TEST_TOOLS = [
    "hatchling>=1.26",
    "hypothesis>=6.100",
    "import-linter>=2.3",
    "jsonschema>=4.20",
    "mypy>=1.18",
    "psutil>=5.9",
    "pytest>=8.2",
    "pytest-timeout>=2.3",
    "pytest-xdist>=3.6",
    "tensorboard>=2.18",
]
PEERS = [  # what the benchmarks compare with
    "albumentations>=2.0",
    "kornia>=0.8",
    "numba>=0.60",
    "opencv-python-headless>=4.10",
    "timm>=1.0",
]
ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",  # nothing here needs the Hub, and a dead network should not be waited for
    "MALLOC_MMAP_THRESHOLD_": "2000000000",  # glibc gives large tensors back to the system after every layer, and
    "MALLOC_TRIM_THRESHOLD_": "4000000000",  # fetching their pages anew is a fifth of a small network's time
    "OMP_NUM_THREADS": "1",  # networks this small are slower on two threads than on one
    "UV_COMPILE_BYTECODE": "1",  # every command starts three times faster
}


@nox.session(reuse_venv=True)
def quickstart(session: nox.Session) -> None:
    """Search, train and compare on real images, in minutes on a CPU; the result is in quickstart/."""
    install(session)
    session.run("python", "examples/quickstart.py", *session.posargs, env=ENVIRONMENT)


@nox.session(reuse_venv=True)
def tests(session: nox.Session) -> None:
    """Run the tests; arguments after -- go to pytest."""
    install(session, *TEST_TOOLS, extras="[optuna,ray]")
    run_tests(session)


@nox.session(reuse_venv=True)
def slow(session: nox.Session) -> None:
    """Run the tests that take minutes each, such as compiling the deepest networks."""
    install(session, *TEST_TOOLS)
    session.run("pytest", "-n", "2", "-m", "slow", *session.posargs, env=ENVIRONMENT)


@nox.session(reuse_venv=True)
def fuzz(session: nox.Session) -> None:
    """Read wrong files and flags by the thousand; after --, the cases per target (5,000) and a seed (0)."""
    install(session)
    session.run("python", "-m", "fuzz", *session.posargs, env=ENVIRONMENT)


@nox.session(reuse_venv=True)
def mutants(session: nox.Session) -> None:
    """Change the sources and see which changes no test notices; after --, how many (120), a seed (0) and a folder."""
    install(session, *TEST_TOOLS, extras="[optuna,ray]")
    if not (ROOT / "mutants" / "kept" / "times.jsonl").is_file():  # which tests are quick
        session.run("python", "-m", "pytest", "-n", "2", "-q", "-p", "mutants.timing", env=ENVIRONMENT)
    session.run("python", "-m", "mutants", *session.posargs, env=ENVIRONMENT)


@nox.session(reuse_venv=True)
def lint(session: nox.Session) -> None:
    """Check style and formatting; that packages depend downwards only is a test."""
    session.install("ruff>=0.14")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session(reuse_venv=True)
def types(session: nox.Session) -> None:
    """Check the types of all packages."""
    install(session, "mypy>=1.18", "types-PyYAML", extras="[optuna]")
    session.run("mypy", *(f"packages/{name}/src" for name in PACKAGES))


@nox.session
@nox.parametrize("package", list(PACKAGES))
def build(session: nox.Session, package: str) -> None:
    """Build a package's wheel, install it alone in a fresh environment, and import it from there."""
    session.install("build>=1.2")
    with tempfile.TemporaryDirectory() as folder:
        for name in (package, *PACKAGES[package]):
            source = str(ROOT / "packages" / name)
            session.run("python", "-m", "build", "--wheel", "--outdir", folder, source, silent=True)
        session.install(*(str(wheel) for wheel in sorted(Path(folder).glob("*.whl"))), env=ENVIRONMENT)
        session.chdir(folder)  # away from the sources
        module = package.replace("-", "_")
        check = f"import {module} as m; print(m.__file__, m.__version__); assert 'site-packages' in m.__file__"
        session.run("python", "-W", "error", "-c", check)


@nox.session(reuse_venv=True)
def bench(session: nox.Session) -> None:
    """Measure ours against other libraries; prints tables and writes benchmarks/results/."""
    install(session, *PEERS)
    session.run("python", "benchmarks/augment.py", *session.posargs, env=ENVIRONMENT)


@nox.session(reuse_venv=True)
def bench_networks(session: nox.Session) -> None:
    """Measure what stochastic layers cost and what skipping saves; prints tables and writes benchmarks/results/."""
    install(session)
    session.run("python", "benchmarks/networks.py", *session.posargs, env=ENVIRONMENT)


@nox.session(reuse_venv=True)
def bench_search(session: nox.Session) -> None:
    """Measure a search's trials against the original's way; prints tables and writes benchmarks/results/."""
    install(session)
    # With the memory settings that users start with: they matter more to the original than to ours.
    session.run("python", "benchmarks/search.py", *session.posargs, env={"HF_HUB_OFFLINE": "1"})


@nox.session(reuse_venv=True)
def bench_whole_search(session: nox.Session) -> None:
    """Search CIFAR-10 as published, stage by stage, and train with what is found; for a GPU, where it takes minutes."""
    install(session)
    session.run("python", "benchmarks/whole_search.py", *session.posargs, env={"HF_HUB_OFFLINE": "1"})


@nox.session(reuse_venv=True)
def bench_matching(session: nox.Session) -> None:
    """Measure Deep AutoAugment's augmented images; prints a table and writes benchmarks/results/."""
    install(session)
    session.run("python", "benchmarks/matching.py", *session.posargs, env=ENVIRONMENT)


@nox.session(reuse_venv=True)
def bench_adversarial(session: nox.Session) -> None:
    """Measure what a controller and its copies cost; prints a table and writes benchmarks/results/."""
    install(session)
    session.run("python", "benchmarks/adversarial.py", *session.posargs, env=ENVIRONMENT)


@nox.session(reuse_venv=True)
def bench_training(session: nox.Session) -> None:
    """Train on CIFAR-10 as a recipe says, with several policies; prints a table and writes benchmarks/results/."""
    install(session)
    session.run("python", "benchmarks/training.py", *session.posargs, env=ENVIRONMENT)


@nox.session(reuse_venv=True)
def timm_tests(session: nox.Session) -> None:
    """Run timm's own model tests, from its source distribution, on our networks."""
    install(session, "pip", *TEST_TOOLS)
    version = session.run("python", "-c", "import timm; print(timm.__version__)", silent=True).strip()
    with tempfile.TemporaryDirectory() as folder:
        source = ("--no-deps", "--no-binary", "timm", f"timm=={version}")
        session.run("python", "-m", "pip", "download", "--quiet", "--dest", folder, *source)
        with tarfile.open(next(Path(folder).glob("timm-*.tar.gz"))) as archive:
            archive.extractall(folder, filter="data")
        session.chdir(folder)
        tests = f"timm-{version}/tests/test_models.py"
        ours = "(wrn or shakeshake or pyramidnet or skipnet) and not (skip and (torchscript or fx))"  # see its README
        session.run("pytest", "-q", "-W", "ignore", "-p", "faa_models", tests, "-k", ours, env=ENVIRONMENT)


@nox.session(reuse_venv=True)
def pixels(session: nox.Session) -> None:
    """Write docs/same-policy-different-pixels.md anew by running the other libraries."""
    install(session, *PEERS)
    session.run("python", "benchmarks/pixels.py", *session.posargs, env=ENVIRONMENT)


@nox.session(reuse_venv=True, venv_backend="uv", default=False)
def minimums(session: nox.Session) -> None:
    """Run the tests with the oldest versions that the packages allow."""
    install(session, "--resolution", "lowest-direct", *TEST_TOOLS, extras="[optuna,ray]")
    run_tests(session)


def run_tests(session: nox.Session) -> None:
    """Run the tests, a file at a time in each of two processes, with compiled code of these very sources.

    numba keeps what it compiled, and does not see that a callee in another file has changed.
    """
    sources = sorted((ROOT / "packages" / "faa-core" / "src").rglob("*.py"))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]
    compiled = {"NUMBA_CACHE_DIR": str(ROOT / ".nox" / "compiled" / digest)}
    session.run(
        "pytest",
        "-n",
        "2",
        "--dist",
        "loadfile",
        "--no-loadscope-reorder",
        *session.posargs,
        env=ENVIRONMENT | compiled,
    )


def install(session: nox.Session, *more: str, extras: str = "") -> None:
    """Install all packages, editable, in one call: one at a time they would be looked for in the registry.

    `extras` are faa-search's, such as "[ray]".
    """
    wanted = {"faa-core": "[fast]", "faa-search": extras}
    editable = [argument for name in PACKAGES for argument in ("-e", f"packages/{name}{wanted.get(name, '')}")]
    session.install(*more, *editable, env=ENVIRONMENT)
