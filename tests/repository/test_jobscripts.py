"""The job scripts start ranks by LAUNCH, else by srun where it knows PMIx, else by mpirun."""
import os
import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "jobscripts"
ARGUMENTS = {"run.sh": ["deck.toml"], "chain.sh": ["deck.toml"], "campaign.sh": ["deck.toml"],
             "reduce.sh": ["train", "deck.toml"]}
# A starter that says how it was called.
SAYS = '#!/bin/bash\necho "$(basename "$0") $*"\n'
SRUN = '#!/bin/bash\nif [[ $1 == --mpi=list ]]; then echo pmix; else echo "srun $*"; fi\n'


def started(tmp_path, script, pmix, **variables):
    """The words by which the script starts the program."""
    for name, text in {"mpirun": SAYS, "starter": SAYS, "tessera": SAYS, **({"srun": SRUN} if pmix else {})}.items():
        path = tmp_path / name
        path.write_text(text)
        path.chmod(0o755)
    environment = {k: v for k, v in os.environ.items() if k != "LAUNCH" and not k.startswith("SLURM")}
    environment |= {"PATH": f"{tmp_path}:/usr/bin:/bin", "TESSERA": str(tmp_path / "tessera"), **variables}
    done = subprocess.run(["bash", SCRIPTS / script, *ARGUMENTS[script]], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    words = [line for line in done.stdout.splitlines() if not line.startswith("==")][-1].split()
    return words[: words.index(str(tmp_path / "tessera"))]


def test_every_script_is_tried():
    assert {p.name for p in SCRIPTS.glob("*.sh")} == set(ARGUMENTS) | {"submit.sh"}


@pytest.mark.parametrize("script", ARGUMENTS)
def test_launch_chooses_the_starter(tmp_path, script):
    assert started(tmp_path, script, True, LAUNCH="starter -n 3 --oversubscribe") == ["starter", "-n", "3", "--oversubscribe"]
    assert started(tmp_path, script, True) == ["srun", "--mpi=pmix", "--cpu-bind=cores"]


@pytest.mark.parametrize("script", ARGUMENTS)
def test_mpirun_starts_ranks_where_slurm_does_not(tmp_path, script):
    (tmp_path / "srun").write_text("#!/bin/bash\nexit 1\n")      # hides one of the machine
    (tmp_path / "srun").chmod(0o755)
    assert started(tmp_path, script, False) == ["mpirun"]
