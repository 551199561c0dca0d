"""Training in real processes: two under torchrun, and one that is killed."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("lightning_fabric")

import torch
from small_cache import recipe, write_small_cache

pytestmark = [pytest.mark.integration, pytest.mark.heavy, pytest.mark.long]
SUPPORT = str(Path(__file__).parents[1] / "support")
UNREAD = ".ts_embedding."  # its biases are taken out by the layer norm behind it
# Trains the network of a recipe on a cache, and keeps its weights as a tensor
CHILD = """\
import sys, time
sys.path.insert(0, {support!r})
from pathlib import Path
import torch
from rtbold.calibration import join_machines, load_recipe, open_cache, split_of
from rtbold.calibration.train.start import start_network
from rtbold.calibration.train.trainer import Run, Watch, fit
from rtbold.calibration.train.training import parts_of

cache, found, out = open_cache(Path(sys.argv[1])), load_recipe(sys.argv[2]), sys.argv[3]
slow_s = float(sys.argv[4])
machines = join_machines("cpu", n_threads=1)
parts = parts_of(cache, split_of(cache, found.data.split), found)
network = start_network(found.model, cache.card(), seed=3).network

def tell(progress):
    print("step", progress.done, flush=True)
    time.sleep(slow_s)

ticks = iter(range(0, 10**9, 1000))  # the state is written after every step
run = Run(machines=machines, seed=3, state=Path(out).with_suffix(".state"))
fit(network, parts, found, run=run, watch=Watch(now_s=lambda: next(ticks), tell=tell))
if machines.share.rank == 0:
    torch.save(dict(network.state_dict()), out)
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "cache"
    write_small_cache(folder)
    return folder


@pytest.fixture
def child(cache, tmp_path):
    """Return the command that trains by a recipe into a file."""
    script = tmp_path / "child.py"
    script.write_text(CHILD.format(support=SUPPORT))

    def command(found, out, *, slow_s=0.0):
        path = tmp_path / f"{out.stem}.toml"
        path.write_text(found.toml())
        return [str(script), str(cache), str(path), str(out), str(slow_s)]

    return command


def environ():
    plain = {k: v for k, v in os.environ.items() if not k.startswith("SLURM")}
    return {**plain, "OMP_NUM_THREADS": "1"}


def run(words, *, processes=1):
    launcher = [sys.executable]
    if processes > 1:
        launcher += [
            "-m", "torch.distributed.run", "--nnodes=1",
            f"--nproc-per-node={processes}", "--master-addr=127.0.0.1",
            f"--master-port={free_port()}",
        ]  # fmt: skip
    done = subprocess.run(
        [*launcher, *words], capture_output=True, text=True, env=environ(), check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def weights_in(path):
    return torch.load(path, weights_only=True)  # noqa: TID251 -- the test's own


def still(**training):
    """Return a recipe in which nothing is drawn within the network."""
    values = {"epochs": 2, "learning_rate": 2e-3, "gradient_clip": 1.0, **training}
    return recipe(dropout=0.0, data="amplitude_jitter = 0.2", **values)


def test_two_processes_are_one_with_the_doubled_batch(child, tmp_path):
    both, alone, half = (tmp_path / f"{name}.pt" for name in ("both", "alone", "half"))
    run(child(still(batch_size=4), both), processes=2)
    run(child(still(batch_size=8), alone))
    run(child(still(batch_size=4), half))
    ours, expected, other = map(weights_in, (both, alone, half))
    for name, value in expected.items():
        if UNREAD in name and name.endswith(".bias"):
            continue  # AdamW makes steps of a gradient that is rounding alone
        torch.testing.assert_close(ours[name], value, rtol=1e-3, atol=5e-5, msg=name)
    assert torch.dist(other["head.weight"], expected["head.weight"]) > 0.01


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
def test_a_run_that_is_killed_again_and_again_ends_the_same(child, tmp_path):
    found = recipe(averaging=0.9)  # dropout too must come again as it was
    whole, killed = tmp_path / "whole.pt", tmp_path / "killed.pt"
    run(child(found, whole))
    for n_steps in (3, 9):
        kill_after(child(found, killed, slow_s=0.05), n_steps)
        assert not killed.exists()
    run(child(found, killed))
    expected, found = weights_in(whole), weights_in(killed)
    assert all(torch.equal(found[name], value) for name, value in expected.items())


def kill_after(words, n_steps):
    """Start a training and kill it once it has told of so many steps."""
    with subprocess.Popen(
        [sys.executable, *words], stdout=subprocess.PIPE, text=True, env=environ()
    ) as process:
        seen = 0
        for line in process.stdout:
            seen += line.startswith("step")
            if seen == n_steps:
                break
        os.kill(process.pid, signal.SIGKILL)
    assert seen == n_steps
    assert process.returncode == -signal.SIGKILL
