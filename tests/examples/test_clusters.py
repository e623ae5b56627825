"""What the examples for clusters start, and what they make of its exit codes."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"

pytestmark = pytest.mark.skipif(os.name == "nt", reason="they are shell scripts")


def run_beside(stub: str, folder: Path, *command: str, **variables: str) -> tuple[int, str]:
    """Exit code and output of a command that finds a stub, ``name: script``, in its path."""
    name, script = stub.split(": ", 1)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    (folder / name).chmod(0o700)
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command,
        env={"PATH": path, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize(("code", "is_over"), [(0, 1), (1, 1), (2, 0), (3, 1), (130, 0), (137, 0)])
def test_bad_videos_do_not_hold_up_a_workflow(tmp_path: Path, code: int, is_over: int) -> None:
    rules = (EXAMPLES / "Snakefile").read_text(encoding="utf-8")
    (command,) = re.findall(r'shell: "(vid2kp convert .*)"', rules)
    shell = ("bash", "-euo", "pipefail", "-c", command)  # as Snakemake does
    rc, _ = run_beside(f"vid2kp: exit {code}", tmp_path, *shell)
    assert (rc == 0) == is_over


def test_a_slurm_step_gets_the_cores_of_its_job(tmp_path: Path) -> None:
    rc, said = run_beside(
        'srun: echo "$@"; exit 3', tmp_path,
        "bash", str(EXAMPLES / "slurm_array.sh"), "my videos", "out",
        SLURM_CPUS_PER_TASK="8", SLURM_ARRAY_TASK_ID="2", SLURM_ARRAY_TASK_MAX="16",
    )  # fmt: skip
    assert rc == 3
    assert said == "--cpus-per-task=8 vid2kp convert my videos -o out --shard 2/16 --jobs 1\n"
