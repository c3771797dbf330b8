"""Decks, and what the cases share."""
import json

import numpy as np
import tessera

DIRECT = '[solver]\nmethod = "direct"\ntolerance = 1e-12\n'

HEAT = """title = "A plate"
""" + DIRECT + """

[mesh]
box = { cell = "quadrilateral", cells = [9, 7] }
[parameters]
k = { default = 2.0, range = [1.0, 10.0], unit = "W/(m K)", meaning = "conductivity" }
power = 3.0
side = 1.5
[[physics]]
name = "heat"
model = "diffusion"
field = "temperature"
unit = "K"
conductivity = "k*(1 + 0.5*x)"
source = "power*exp(x)"
[[physics.boundary]]
marker = "left"
value = "300 + side*y^2 + k"
[[physics.boundary]]
marker = "right"
coefficient = 4
ambient = "290*side"
[[quantity]]
name = "mean"
kind = "average"
[[quantity]]
name = "probe"
kind = "point"
point = [0.7, 0.31]
[[quantity]]
name = "flow"
kind = "flux"
marker = "right"
[[quantity]]
name = "peak"
kind = "maximum"
"""

#: Its conductivity is that of the present temperature.
NONLINEAR = DIRECT + """
[mesh]
box = { cell = "triangle", cells = [6, 5] }
[parameters]
a = 0.02
hot = 100.0
[[physics]]
name = "heat"
model = "diffusion"
field = "temperature"
degree = 2
conductivity = "1 + a*temperature + 1e-4*temperature^2"
source = "40*hot*x"
[[physics.boundary]]
marker = "left"
value = "hot*(1 + y)"
[[quantity]]
name = "mean"
kind = "average"
"""

THERMAL = DIRECT + """
[mesh]
box = { cell = "triangle", cells = [6, 4], upper = [2, 1] }
[parameters]
k = 2.0
alpha = 0.02
[[physics]]
name = "heat"
model = "diffusion"
field = "temperature"
conductivity = "k*(1 + x)"
source = 4
[[physics.boundary]]
marker = "left"
value = "1 + k"
[[physics]]
name = "body"
model = "elasticity"
degree = 2
young = 5
poisson = 0.3
expansion = "alpha"
temperature = { physics = "heat" }
[[physics.boundary]]
marker = "left"
value = [0, 0]
[[quantity]]
name = "tip"
kind = "point"
field = "displacement"
component = 1
point = [2, 1]
"""

FLOW = DIRECT + """
[mesh]
box = { cell = "triangle", cells = [6, 4], upper = [2, 1] }
[parameters]
viscosity = 0.05
[[physics]]
name = "flow"
model = "navier_stokes"
viscosity = "viscosity"
[[physics.boundary]]
marker = "left"
value = ["4*y*(1 - y)", 0, "free"]
[[physics.boundary]]
marker = ["bottom", "top"]
value = [0, 0, "free"]
"""

IN_TIME = DIRECT + """
[mesh]
box = { cell = "interval", cells = [20] }
[parameters]
k = 0.3
[time]
end = 0.2
step = 0.02
[output]
frames = 5
[[physics]]
name = "heat"
model = "diffusion"
field = "temperature"
conductivity = "k"
capacity = 1.0
[[physics.boundary]]
marker = "left"
value = 1
[[initial]]
value = "sin(3*x) + 1"
[[quantity]]
name = "mean"
kind = "average"
"""

#: Not linear; parameters in the equations, the prescribed values and the initial state.
SORPTION = DIRECT + """
[mesh]
box = { cell = "interval", cells = [24] }
[parameters]
d = 0.3
left = 1.0
start = 0.2
[time]
end = 0.3
step = 0.1
[[physics]]
name = "clay"
model = "diffusion_sorption"
diffusivity = "d"
porosity = 0.29
density = 2880.0
partition = 3.5e-4
exponent = 0.874
[[physics.boundary]]
marker = "left"
value = "left*(1 + t)"
[[physics.boundary]]
marker = "right"
coefficient = 1.0
ambient = 0.0
[[initial]]
value = "start*(1 + x)"
"""

ALL = {"sorption": SORPTION, "heat": HEAT, "nonlinear": NONLINEAR, "thermal": THERMAL, "flow": FLOW, "in_time": IN_TIME}


def simulation(name, comm=None):
    return tessera.Simulation(tessera.Deck.parse(ALL[name]), comm)


def say(simulation, **values):
    """One line, from rank 0."""
    if simulation.rank == 0:
        print(json.dumps({key: np.asarray(value).tolist() for key, value in values.items()}))


def wave(coordinates, components, seed):
    """A state that is the same on any number of ranks and has no symmetry."""
    x = coordinates @ np.array([1.3, 2.1, 0.7])[: coordinates.shape[1]]
    values = np.stack([np.sin((seed + c) * x + 0.3 * seed) + 0.2 * np.cos(5 * x * (c + 1)) for c in range(components)], axis=1)
    return values[:, 0] if components == 1 else values
