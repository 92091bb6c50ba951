"""A cluster on this machine: a stub srun that starts tasks, a stub scontrol that notes calls, and a job."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from foveate.tests.faults.conftest import environment

SRUN = """
import os, signal, subprocess, sys
words = sys.argv[1:]
while words[0].startswith("--"):
    words.pop(0)
nodes, each = int(os.environ["SLURM_NNODES"]), int(os.environ["SLURM_NTASKS_PER_NODE"])
tasks = []
for number in range(nodes * each):
    own = {"SLURM_PROCID": number, "SLURM_LOCALID": number % each, "SLURM_NODEID": number // each, "SLURM_STEP_ID": 0}
    tasks.append(subprocess.Popen(words, env={**os.environ, **{name: str(value) for name, value in own.items()}}))
for name in ("SIGUSR1", "SIGTERM"):
    signal.signal(getattr(signal, name), lambda number, frame: [task.send_signal(number) for task in tasks])
codes = [task.wait() for task in tasks]
sys.exit(max(code if code >= 0 else 128 - code for code in codes))
"""

SCONTROL = """
import os, sys
if sys.argv[1] == "show":
    print("127.0.0.1")
elif os.environ.get("SCONTROL_FAILS"):
    sys.exit("slurm_requeue error: Requested operation is presently disabled")
else:
    with open(os.environ["SCONTROL_CALLS"], "a") as file:
        file.write(" ".join(sys.argv[1:]) + "\\n")
"""


@dataclass(frozen=True)
class Cluster:
    """Where jobs run.

    Attributes:
        folder: The folder they start in.
    """

    folder: Path

    def __post_init__(self) -> None:
        self._write("srun", SRUN)
        self._write("scontrol", SCONTROL)
        self._write("foveate", "import foveate.cli; foveate.cli.run()")

    def _write(self, name: str, code: str) -> None:
        path = self.folder / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!{sys.executable}\n{code}")
        path.chmod(0o755)

    @property
    def calls(self) -> list[str]:
        """What scontrol was called with."""
        path = self.folder / "scontrol.txt"
        return path.read_text().splitlines() if path.is_file() else []

    def submit(self, script: Path, words: list[str], *, options: str = "", **more: str) -> subprocess.Popen[str]:
        """Start a job, as sbatch would; options of the call count more than those of the script.

        Args:
            script: Its `#SBATCH` lines are read.
            words: Arguments of the script.
            options: Further options, as after sbatch.
            more: Environment variables.
        """
        given = {**options_of(script), **parse(options.split())}
        nodes, each = given["nodes"], given["ntasks-per-node"]
        job = {
            "SLURM_JOB_ID": "4711",
            "SLURM_JOB_NAME": given["job-name"],
            "SLURM_NNODES": nodes,
            "SLURM_NTASKS_PER_NODE": each,
            "SLURM_NTASKS": str(int(nodes) * int(each)),
            "SLURM_NODELIST": "127.0.0.1",
            "SLURM_JOB_NODELIST": "127.0.0.1",
            "SCONTROL_CALLS": str(self.folder / "scontrol.txt"),
            "PATH": f"{self.folder / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        return subprocess.Popen(
            ["bash", str(script), *words],
            cwd=self.folder,
            env={**environment(), **job, **more},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )


def options_of(script: Path) -> dict[str, str]:
    """The options that a script gives sbatch."""
    lines = [line for line in script.read_text().splitlines() if line.startswith("#SBATCH")]
    return parse([word for line in lines for word in shlex.split(line.removeprefix("#SBATCH"))])


def parse(words: list[str]) -> dict[str, str]:
    """Options without their dashes, and their values."""
    pairs = [word.removeprefix("--").partition("=") for word in words]
    return {name: value for name, _, value in pairs}
