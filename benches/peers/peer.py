"""What the comparisons share: one thread for everybody, set before NumPy is imported, and Tessera's processes."""
import os
import subprocess
import sys
from pathlib import Path

os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", RAYON_NUM_THREADS="1")
HERE = Path(__file__).resolve().parent


def arguments(number):
    """The number on the command line or else this one, and the program."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else number
    return number, Path(sys.argv[2] if len(sys.argv) > 2 else HERE / "../../target/release/tessera").resolve()


def processor():
    """Seconds of processor, own and those of processes that have ended."""
    return sum(os.times()[:4])


def tessera(program, *arguments):
    """Runs it; an error ends the comparison."""
    environment = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", **os.environ}
    subprocess.run([program, *map(str, arguments), "-q"], check=True, env=environment)
