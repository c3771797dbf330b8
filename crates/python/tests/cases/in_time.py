"""A run in time, in a file."""
import numpy as np
from decks import simulation

s = simulation("in_time")
s.run(k=0.5)
history = s.run()
assert history.fields["temperature"].shape == (6, 21) and len(history.times) == 11
again = s.run(fields=["flux"], own=True)
assert again.fields["flux"].shape[:2] == (6, len(s.coordinates(own=True)))
assert np.allclose(again.quantities["mean"], history.quantities["mean"], rtol=1e-13, atol=0)
if s.rank == 0:
    np.savez("run.npz", temperature=history.fields["temperature"], frames=history.frames, times=history.times,
             mean=history.quantities["mean"])
