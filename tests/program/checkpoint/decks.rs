//! Small decks of every kind of state: several steps back, the rest of the form, internal variables, linear problems.

/// Adaptive steps of BDF2 with a stop, and a linear problem solved for each frame.
pub const HEAT: &str = r#"
mesh.box = { cell = "triangle", cells = [9, 7] }
solver = { method = "direct", tolerance = 1e-12 }
output.frames = 4
checkpoint = { every_steps = 6, keep = 100 }
[time]
end = 1.0
step = 0.01
tolerance = 2e-4
stops = [0.4]
[[physics]]
name = "heat"
model = "diffusion"
degree = 2
field = "temperature"
conductivity = 0.3
capacity = 1.0
source = "10*(1 - step(t - 0.4))*exp(-20*((x - 0.3)^2 + (y - 0.6)^2))"
boundary = [{ marker = "left", value = "sin(3*t)*y" }, { marker = "right", coefficient = 2.0, ambient = "1 + t" }]
[[physics]]
name = "body"
model = "elasticity"
young = 1.0
poisson = 0.3
expansion = 0.01
temperature = { physics = "heat" }
boundary = [{ marker = "left", value = [0.0, "0.1*t"] }]
[[initial]]
value = "1 + x*y"
field = "temperature"
[[quantity]]
name = "mean"
kind = "average"
field = "temperature"
[[quantity]]
name = "rise"
kind = "maximum"
field = "displacement"
"#;

/// Growing steps of BDF2 that begin anew at a stop, and are long before the end.
pub fn graded() -> String {
    HEAT.replace("tolerance = 2e-4", "growth = 1.25\nlongest = 0.1")
}

/// A flow with Crank-Nicolson, which needs the form at the step before.
pub const FLOW: &str = r#"
mesh.box = { cell = "quadrilateral", cells = [6, 6] }
solver = { method = "direct", tolerance = 1e-12 }
output.frames = 3
checkpoint = { every_steps = 5, keep = 100 }
[time]
end = 0.6
step = 0.03
scheme = "crank_nicolson"
[[physics]]
model = "navier_stokes"
viscosity = 0.01
boundary = [
  { marker = "top", value = ["min(5*t, 1)", 0.0, "free"] },
  { marker = ["left", "right", "bottom"], value = [0.0, 0.0, "free"] },
  { point = [0.5, 0.5], value = ["free", "free", 0.0] },
]
[[quantity]]
name = "drag"
kind = "reaction"
field = "velocity"
marker = "bottom"
component = 0
"#;

/// A metal that flows to and fro: internal variables.
pub const METAL: &str = r#"
mesh.box = { cell = "hexahedron", cells = [3, 2, 2] }
solver = { method = "direct", tolerance = 1e-12 }
output.frames = 3
checkpoint = { every_steps = 4, keep = 100 }
[time]
end = 9
step = 0.3
tolerance = 0.05
[[physics]]
model = "viscoplasticity"
degree = 1
young = 200e9
poisson = 0.3
yield_stress = "100e6*(1 + 0.1*y)"
drag_stress = 200e6
rate_exponent = 7
kinematic_modulus = 50e9
dynamic_recovery = 300
isotropic_saturation = 40e6
isotropic_rate = 10
boundary = [
 { marker = "left", value = [0, "free", "free"] },
 { marker = "bottom", value = ["free", 0, "free"] },
 { marker = "back", value = ["free", "free", 0] },
 { marker = "right", value = ["0.01*sin(2*pi*t/8)", "free", "free"] },
]
[[quantity]]
name = "stress"
kind = "average"
field = "stress"
component = 0
[[quantity]]
name = "flowed"
kind = "average"
field = "accumulated_plastic_strain"
"#;

/// Many short steps, a checkpoint after each: to be killed.
pub const LONG: &str = r#"
mesh.box = { cell = "triangle", cells = [16, 16] }
solver = { method = "direct", tolerance = 1e-12 }
output = { frames = 10, xdmf = false }
checkpoint = { every_steps = 1, keep = 2 }
[time]
end = 1.0
step = 0.01
[[physics]]
name = "heat"
model = "diffusion"
degree = 2
capacity = 1.0
source = "10*exp(-20*((x - 0.3 - 0.4*t)^2 + (y - 0.6)^2))"
boundary = [{ marker = "left", value = 0.0 }]
[[initial]]
value = "x*y"
[[quantity]]
name = "mean"
kind = "average"
"#;

/// A campaign of samples that take some hundredths of a second each.
pub const SAMPLES: &str = r#"
mesh.box = { cell = "triangle", cells = [40, 40] }
solver = { method = "direct", tolerance = 1e-12 }
output.xdmf = false
campaign = { design = "sobol", samples = 90, seed = 3 }
rom = { modes = 4, tolerance = 0.0 }
[parameters]
k = { default = 2.0, range = [1.0, 5.0] }
s = { default = 4.0, range = [1.0, 9.0] }
[[physics]]
name = "heat"
model = "diffusion"
degree = 2
field = "temperature"
conductivity = "1 + k*x"
source = "s"
boundary = [{ marker = "left", value = "1 + 0.1*k*y" }, { marker = "right", coefficient = "k", ambient = 3.0 }]
[[quantity]]
name = "mean"
kind = "average"
"#;
