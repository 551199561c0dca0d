"""Let atheris look for bytes from outside that crash, hang or take all memory.

    .venvs/test/bin/pip install "rtbold-eeg[fuzz]"
    .venvs/test/bin/python scripts/fuzz.py --seconds 60
    .venvs/test/bin/python scripts/fuzz.py --only card --only xdf --seconds 600

Each target of tests/support/fuzz_targets.py runs in a process of its own with bounded
time and memory. What it found lies in `--keep`; a finding that is mended goes into
tests/test_fuzz.py. The exit code is 1 if there is one.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SUPPORT = ROOT / "tests" / "support"
INSTRUMENTED = ["rtbold"]
LONGEST_S = 20  # of one input
GRACE_S = 120  # imports, seeds, the last input
_DONE = re.compile(r"stat::number_of_executed_units:\s*(\d+)")
_AT = re.compile(r"^#(\d+)\s", re.MULTILINE)


@dataclass(frozen=True)
class Outcome:
    """What became of one target."""

    name: str
    n_runs: int
    found: tuple[Path, ...]
    why: str = ""

    def line(self) -> str:
        """Return a row for the terminal."""
        state = self.why or (f"{len(self.found)} FOUND" if self.found else "ok")
        return f"{self.name:16} {self.n_runs:12,d} executions  {state}"


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=int, default=60, help="of each target")
    parser.add_argument("--only", action="append", help="a target; may be repeated")
    parser.add_argument("--memory-mb", type=int, default=2048, help="of each process")
    parser.add_argument("--keep", type=Path, default=ROOT / "build" / "fuzz")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    return parser.parse_args()


def child(name: str, arguments: list[str]) -> None:
    """Run one target until libFuzzer ends the process."""
    import atheris

    sys.path.insert(0, str(SUPPORT))
    with atheris.instrument_imports(include=INSTRUMENTED, enable_loader_override=False):
        from fuzz_targets import TARGETS

        from rtbold.files import trial
    trial.LIMIT_S = LONGEST_S / 2  # what hangs is refused before it is a finding
    target = TARGETS[name]
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)

        def one(data: bytes) -> None:
            target.survives(data, folder)

        atheris.Setup([sys.argv[0], *arguments], one)
        atheris.Fuzz()


def fuzz(name: str, seconds: int, memory_mb: int, keep: Path) -> Outcome:
    """Run one target in a process and return what it found."""
    corpus, found = keep / "corpus" / name, keep / "found" / name
    for folder in (corpus, found):
        folder.mkdir(parents=True, exist_ok=True)
    before = set(found.iterdir())
    write_seeds(name, corpus)
    command = [
        sys.executable, __file__, "--child", name, str(corpus),
        f"-max_total_time={seconds}", f"-timeout={LONGEST_S}",
        f"-rss_limit_mb={memory_mb}", f"-artifact_prefix={found}/",
        "-print_final_stats=1", "-max_len=65536", "-verbosity=1",
    ]  # fmt: skip
    log = keep / f"{name}.log"
    with log.open("wb") as out:
        try:
            code = subprocess.run(
                command, stdout=out, stderr=subprocess.STDOUT, check=False,
                timeout=seconds + GRACE_S, env={**os.environ, "OMP_NUM_THREADS": "1"},
            ).returncode  # fmt: skip
            why = "" if code == 0 else f"ended with {code}: see {log}"
        except subprocess.TimeoutExpired:
            why = f"did not end: see {log}"
    new = tuple(sorted(set(found.iterdir()) - before))
    return Outcome(name, executions(log.read_text("utf-8", "replace")), new, why)


def executions(log: str) -> int:
    """Return the executions that libFuzzer counted, by its last line of them."""
    counted = _DONE.findall(log) or _AT.findall(log) or ["0"]
    return int(counted[-1])


def write_seeds(name: str, corpus: Path) -> None:
    """Write good bytes to begin from."""
    from fuzz_targets import TARGETS

    with tempfile.TemporaryDirectory() as empty:
        for number, seed in enumerate(TARGETS[name].seeds(Path(empty))):
            (corpus / f"seed-{number}").write_bytes(seed)


def main() -> int:
    """Fuzz what was asked for."""
    if "--child" in sys.argv:
        place = sys.argv.index("--child")
        child(sys.argv[place + 1], sys.argv[place + 2 :])
        return 0
    options = parse()
    sys.path.insert(0, str(SUPPORT))
    from fuzz_targets import TARGETS

    outcomes = []
    for name in options.only or TARGETS:
        outcomes.append(fuzz(name, options.seconds, options.memory_mb, options.keep))
        print(outcomes[-1].line(), flush=True)
    total = sum(outcome.n_runs for outcome in outcomes)
    bad = [outcome for outcome in outcomes if outcome.found or outcome.why]
    print(f"{total:,d} executions; {len(bad)} of {len(outcomes)} targets with findings")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
