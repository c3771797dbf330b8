"""An exception of one rank that nobody catches, while the others wait for it."""
from decks import simulation

s = simulation("heat")
if s.rank == 1:
    raise ValueError("only here")
s.solve()
