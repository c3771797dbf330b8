"""Predictions of a reduced model, in a file."""
import numpy as np
import tessera

model = tessera.Model("out/model.h5")
plain = model.predict(k=3.3)
few = model.predict({"k": 3.3}, modes=1, fields=["flux", "temperature"])
assert few.estimate["heat"] > plain.estimate["heat"] and few.fields["flux"].shape == (80, 2)
assert model.predict(own=True).fields["temperature"].ndim == 1
model.close()
repaired = tessera.Model("out/model.h5", constraint="boundary").predict(k=3.3, modes=1)
with tessera.Simulation(model.deck) as s:
    s.solve(k=3.3)
    truth, quantities = s.field("temperature"), s.quantities()
    fixed, prescribed = s["heat"].essential(k=3.3)
    assert np.array_equal(repaired.fields["temperature"][fixed], prescribed[fixed])
    for name, bound in plain.bounds.items():
        assert abs(plain.quantities[name] - quantities[name]) <= bound + 1e-9 * abs(quantities[name]), name
    assert set(plain.bounds) == {"mean", "probe"}
    if s.rank == 0:
        np.savez("model.npz", temperature=plain.fields["temperature"], truth=truth, mean=plain.quantities["mean"],
                 estimate=plain.estimate["heat"])
