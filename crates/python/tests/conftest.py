"""Programs of `cases` under mpirun."""
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
CASES = Path(__file__).resolve().parent / "cases"
PROGRAM = ROOT / "target" / "release" / "tessera"
#: More ranks than cores, as root, without a network.
MPI = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMPI_MCA_rmaps_base_oversubscribe": "1",
       "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe", "OMPI_MCA_mpi_yield_when_idle": "1",
       "OMPI_MCA_btl": "self,vader", "OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"}


def mpirun(ranks, command, folder):
    """A command on so many ranks; without `mpirun` for none."""
    path = os.pathsep.join([str(CASES), *filter(None, [os.environ.get("PYTHONPATH")])])
    start = ["mpirun", "-n", str(ranks)] if ranks else []
    return subprocess.run([*start, *map(str, command)], cwd=folder, capture_output=True, text=True, timeout=240,
                          env={**MPI, **os.environ, "PYTHONPATH": path})


@pytest.fixture
def case(tmp_path):
    """Runs a case; what it prints. It must end well and say nothing on standard error."""
    pytest.importorskip("tessera", reason="the module is not built: make python")

    def run(name, ranks, *arguments, ends_well=True):
        done = mpirun(ranks, [sys.executable, CASES / f"{name}.py", *arguments], tmp_path)
        if ends_well:
            assert done.returncode == 0, done.stdout + done.stderr
            assert done.stderr == ""
        return done

    return run


@pytest.fixture
def program(tmp_path):
    """Runs the program with a deck's text in a file."""
    if not PROGRAM.exists():
        pytest.skip("the program is not built: make build")

    def run(ranks, word, *arguments):
        done = mpirun(ranks, [PROGRAM, word, *arguments], tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run
