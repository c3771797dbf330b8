"""What is wrong is said on all ranks, and all go on."""
import numpy as np
import tessera
from decks import HEAT, simulation

s = simulation("heat")
heat = s["heat"]
u = np.ones(heat.nodes)
last = s.rank == s.size - 1


def refuses(kind, words, call):
    try:
        call()
    except tessera.Error as error:
        assert isinstance(error, kind) and words in str(error), error
    else:
        raise AssertionError(f"nothing was said: {words}")


refuses(tessera.InputError, 'no parameter "kk"; did you mean "k"?', lambda: s.solve(kk=1))
refuses(tessera.InputError, "expected a finite number, found nan", lambda: s.solve(k=float("nan")))
refuses(tessera.InputError, "conductivity", lambda: s.solve(k=-1))
refuses(tessera.InputError, 'no field "temperatur"', lambda: s.field("temperatur"))
refuses(tessera.InputError, '"flux" is no solution', lambda: s.set_field("flux", u))
refuses(tessera.InputError, 'no quantity "men"; did you mean "mean"?', lambda: s.gradient("men"))
refuses(tessera.Error, "call solve() first", lambda: s.gradient("mean"))
refuses(tessera.Error, "no [time]", s.run)
# Wrong on one rank alone.
refuses(tessera.InputError, f"expected an array of shape ({heat.nodes}), found (3)", lambda: heat.residual(u[:3] if last else u))
refuses(tessera.InputError, "expected finite numbers", lambda: s.set_field("temperature", u * (np.inf if last else 1)))
refuses(tessera.InputError, "could not convert string", lambda: heat.residual("no" if last else u))
if s.size > 1:
    refuses(tessera.InputError, "rank 0 calls solve(k=2.0, sample=0), rank 1 calls solve(k=3.0, sample=0)",
            lambda: s.solve(k=3.0 if last else 2.0))
    refuses(tessera.InputError, "rank 1 calls quantities()", lambda: s.quantities() if last else s.field("temperature"))
    refuses(tessera.InputError, "not the same on all ranks",
            lambda: tessera.Simulation(tessera.Deck.parse(HEAT, set={"parameters.side": 2 if last else 1})))
refuses(tessera.InputError, "deck.toml:", lambda: tessera.Deck.parse(HEAT.replace("conductivity", "conductivty")))
refuses(tessera.InputError, "nowhere.toml", lambda: tessera.Deck("nowhere.toml"))
refuses(tessera.InputError, "nowhere.h5", lambda: tessera.Model("nowhere.h5"))
s.solve()
refuses(tessera.InputError, "quantity \"peak\"", lambda: s.gradient("peak"))
refuses(tessera.InputError, "not linear in a solution", lambda: s.gradient("flow", method="adjoint"))
refuses(tessera.InputError, 'expected "adjoint" or "tangent"', lambda: s.gradient("flow", method="other"))
assert abs(s.gradient("mean", ["power"])["power"]) > 0
refuses(tessera.InputError, 'level: expected "none", "boundary", "conservation", "residual", "coupled" or "exact"', lambda: s.constraint("all"))
refuses(tessera.InputError, 'norm: expected "energy"', lambda: s.constraint(norm="l2"))
refuses(tessera.Error, "100 boxes along each axis are none, or more than the 63 cells", lambda: s.constraint(per_side=100))
refuses(tessera.InputError, "without variances", lambda: s.constraint(norm="variance").forward(u))
refuses(tessera.InputError, 'no row "mass": it has none', lambda: s.constraint().forward(u, known={"mass": 1}))
refuses(tessera.InputError, "choose one: heat, body", lambda: simulation("thermal").constraint())
refuses(tessera.Error, "this deck has [time]", lambda: simulation("in_time").constraint())
refuses(tessera.InputError, 'row "mean": expected an array of shape', lambda: s.constraint(known={"mean": (u[:3], 1.0)}))
layer = s.constraint()
s.close()
refuses(tessera.Error, "simulation is closed", lambda: layer.forward(u))
# What the equations read has changed.
t = simulation("thermal")
t.solve()
layer = t.constraint(stage="body")
layer.forward(t.field("displacement"))
t.solve(k=3.0)
refuses(tessera.Error, "not that of the last forward()", lambda: layer.vjp(t.field("displacement")))
