"""Who starts MPI does not matter, nor what is left at the end: `first`, `last`, `comm`, `split`, `close`, `cycle`."""
import sys

if "first" in sys.argv:
    from mpi4py import MPI
import tessera
from decks import simulation

if "last" in sys.argv:
    kept = simulation("heat")
    from mpi4py import MPI
comm = None
if "comm" in sys.argv:
    comm = MPI.COMM_WORLD
if "split" in sys.argv:
    comm = MPI.COMM_WORLD.Split(MPI.COMM_WORLD.rank)
s = simulation("heat", comm)
s.solve()
if comm is not None:
    assert (s.rank, s.size) == (comm.rank, comm.size)
if "close" in sys.argv:
    with s:
        s.solve(k=3)
    try:
        s.solve()
        raise SystemExit("a closed simulation solves")
    except tessera.Error as error:
        assert "closed" in str(error)
if "cycle" in sys.argv:
    # Only the collector frees these, whenever it likes; others are made meanwhile.
    for _ in range(3):
        ring = [simulation("heat")]
        ring.append(ring)
        ring[0].solve()
    del ring
    s = simulation("heat")
sys.stdout.write("done\n")
