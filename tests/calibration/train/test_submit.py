import subprocess
import sys
from shutil import which

import pytest

from rtbold.calibration.train.submit import JobArray, named, numbers_of, slurm_script
from rtbold.errors import ConfigError

COMMAND = ("rtbold", "train", "/data/my cache", "--recipe", "ridge")


def jobs(**changed):
    values = {
        "command": COMMAND,
        "python": "/env/bin/python",
        "out": "runs/ridge-{fold}-{seed}.rtbold",
        "folds": range(5),
        "seeds": range(3),
    }
    return JobArray(**{**values, **changed})


ON_ONE_CPU = """\
#!/bin/bash
# 15 trainings: each fold with each seed. Submit with: sbatch FILE
#SBATCH --job-name=rtbold-ridge
#SBATCH --array=0-14
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --requeue           # it goes on where it was
#SBATCH --open-mode=append
#SBATCH --output=%x-%A_%a.log
set -euo pipefail
folds=(0 1 2 3 4)
seeds=(0 1 2)
fold=${folds[SLURM_ARRAY_TASK_ID / 3]}
seed=${seeds[SLURM_ARRAY_TASK_ID % 3]}
srun /env/bin/python \\
    -m rtbold train '/data/my cache' --recipe ridge \\
    --fold "$fold" --seed "$seed" --out runs/ridge-"${fold}"-"${seed}".rtbold
"""

ON_TWO_NODES = """\
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=32
#SBATCH --gpus-per-node=4
"""

LAUNCHED = """\
host=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
srun /env/bin/python -m torch.distributed.run \\
    --nnodes=2 --nproc-per-node=4 \\
    --rdzv-backend=c10d --rdzv-id="$SLURM_JOB_ID" \\
    --rdzv-endpoint="$host:$((20000 + SLURM_JOB_ID % 20000))" \\
    -m rtbold train '/data/my cache' --recipe ridge \\
"""


def test_one_process_a_job():
    assert slurm_script(jobs()) == ON_ONE_CPU


def test_several_nodes_are_joined_by_torchrun():
    script = slurm_script(jobs(nodes=2, gpus=4))
    assert ON_TWO_NODES in script
    assert LAUNCHED in script


def test_one_gpu_needs_no_torchrun():
    script = slurm_script(jobs(gpus=1))
    assert "--gpus-per-node=1" in script
    assert "torch.distributed" not in script


@pytest.mark.integration
@pytest.mark.skipif(which("bash") is None, reason="no bash")
@pytest.mark.parametrize(("task", "fold", "seed"), [(0, 0, 0), (7, 2, 1), (14, 4, 2)])
def test_each_task_runs_its_own_fold_and_seed(tmp_path, task, fold, seed):
    echo = tmp_path / "srun"
    code = f"#!{sys.executable}\nimport sys\nprint(sys.argv[1:])\n"
    echo.write_text(code)
    echo.chmod(0o755)
    script = tmp_path / "job.sh"
    script.write_text(slurm_script(jobs()))
    done = subprocess.run(
        ["bash", str(script)],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "SLURM_ARRAY_TASK_ID": str(task)},
        capture_output=True,
        text=True,
        check=True,
    )
    expected = [
        "/env/bin/python", "-m", *COMMAND, "--fold", str(fold), "--seed", str(seed),
        "--out", f"runs/ridge-{fold}-{seed}.rtbold",
    ]  # fmt: skip
    assert done.stdout.strip() == str(expected)


def test_jobs_that_would_write_over_each_other_are_refused():
    with pytest.raises(ConfigError, match=r"5 folds, expected \{fold\} in it"):
        jobs(out="runs/a-{seed}.rtbold")
    with pytest.raises(ConfigError, match=r"3 seeds, expected \{seed\} in it"):
        jobs(out="runs/a-{fold}.rtbold")
    assert len(jobs(out="runs/a.rtbold", folds=[1], seeds=[0])) == 1


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"nodes": 0}, "--nodes is 0"),
        ({"gpus": -1}, "--gpus is -1"),
        ({"folds": range(2000)}, "6000 jobs"),
    ],
)
def test_sizes_of_nothing_are_refused(changed, said):
    with pytest.raises(ConfigError, match=said):
        jobs(**changed)


def test_numbers_and_ranges():
    assert numbers_of("3", "--fold") == (3,)
    assert numbers_of("0-4", "--fold") == (0, 1, 2, 3, 4)
    assert numbers_of("0, 2,5-7,2", "--fold") == (0, 2, 5, 6, 7)


@pytest.mark.parametrize("text", ["", "a", "4-0", "-1", "1-", "1.5"])
def test_other_words_are_no_numbers(text):
    with pytest.raises(ConfigError, match="--fold is"):
        numbers_of(text, "--fold")


def test_places_in_a_name_are_filled_in():
    assert named("r/{fold}-{seed}.rtbold", fold=2, seed=0) == "r/2-0.rtbold"
    assert named("r/a.rtbold", fold=2, seed=0) == "r/a.rtbold"
