//! From the deck's nonlinear and time-dependent models to a [`Problem`].
use super::build::{Builder, Parts, ZERO, centrifugal};
use super::coefficient::{Coefficients, Output, Source};
use super::equation::Equation;
use super::problem::{Model, Place, Problem};
use crate::Result;
use crate::deck::{
    self, Coefficient, Diffusion, NavierStokes, Physics, Plane, Property, PropertyTable, Scalar,
    Viscoplasticity,
};

impl Builder<'_> {
    /// The problem of any model but steady diffusion and elasticity.
    pub(super) fn equation(&self, physics: &Physics) -> Result<Problem> {
        let dimension = self.mesh.dimension;
        let regions = |key: &str, coefficient: &Coefficient| self.regions(key, coefficient);
        let (equation, inputs, outputs) = match physics {
            Physics::AdvectionDiffusion(m) => {
                let mut inputs = vec![regions("diffusivity", &m.diffusivity)?];
                inputs.extend(self.vector(Some(&m.velocity))?);
                inputs.extend([regions("reaction", &m.reaction)?, regions("source", &m.source)?]);
                (Equation::AdvectionDiffusion, inputs, None)
            }
            Physics::Burgers(m) => {
                let mut inputs = vec![regions("viscosity", &m.viscosity)?];
                inputs.extend(self.vector(m.source.as_deref())?);
                (Equation::Burgers, inputs, None)
            }
            Physics::DiffusionSorption(m) => {
                let inputs = vec![
                    regions("diffusivity", &m.diffusivity)?,
                    regions("exponent", &m.exponent)?,
                    self.everywhere(&m.porosity)?,
                    self.everywhere(&m.density)?,
                    self.everywhere(&m.partition)?,
                ];
                let outputs = vec![
                    Output::input(0),
                    Output::of(&[2, 3, 4], |v| (1.0 - v[2]) / v[2] * v[3] * v[4]),
                    Output::input(1),
                ];
                (Equation::DiffusionSorption, inputs, Some(outputs))
            }
            Physics::PorousMedium(m) => match &m.stefan {
                Some(law) => {
                    let inputs = vec![
                        self.everywhere(&law.below)?,
                        self.everywhere(&law.above)?,
                        self.everywhere(&law.threshold)?,
                        regions("source", &m.source)?,
                    ];
                    (Equation::Stefan, inputs, None)
                }
                None => {
                    let one = Scalar::Number(1.0);
                    let exponent = self.everywhere(m.exponent.as_ref().unwrap_or(&one))?;
                    (Equation::PorousMedium, vec![exponent, regions("source", &m.source)?], None)
                }
            },
            Physics::NavierStokes(m) => {
                let mut inputs = vec![regions("density", &m.density)?, regions("viscosity", &m.viscosity)?];
                inputs.extend(self.vector(m.body_force.as_deref())?);
                (Equation::NavierStokes, inputs, None)
            }
            Physics::Helmholtz(m) => {
                let inputs = vec![
                    regions("wave_number", &m.wave_number)?,
                    regions("source", &m.source)?,
                    regions("source_imaginary", &m.source_imaginary)?,
                ];
                (Equation::Helmholtz, inputs, None)
            }
            Physics::Viscoplasticity(m) => return self.viscoplasticity(m),
            Physics::Diffusion(m) => return self.transient_diffusion(m),
            Physics::Elasticity(_) => unreachable!("elasticity is no equation of this kind"),
        };
        let outputs = outputs.unwrap_or_else(|| (0..inputs.len()).map(Output::input).collect());
        let volume = Coefficients { reaction: true, inputs, outputs };
        self.finish_equation(equation, physics.components(dimension), volume)
    }

    fn transient_diffusion(&self, physics: &Diffusion) -> Result<Problem> {
        let (anisotropic, mut inputs) = self.conductive(physics)?;
        let one = Coefficient::from(1.0);
        inputs.push(self.regions("capacity", physics.capacity.as_ref().unwrap_or(&one))?);
        let outputs = (0..inputs.len()).map(Output::input).collect();
        let volume = Coefficients { reaction: true, inputs, outputs };
        self.finish_equation(Equation::TransientDiffusion { anisotropic }, 1, volume)
    }

    fn viscoplasticity(&self, physics: &Viscoplasticity) -> Result<Problem> {
        let dimension = self.mesh.dimension;
        let zero = Coefficient::from(0.0);
        // Inputs: temperature, reference, density, speed, body force, then the properties.
        const BODY: usize = 4;
        let mut inputs = vec![
            self.regions("temperature", &physics.temperature)?,
            self.regions("reference_temperature", &physics.reference_temperature)?,
            self.regions("density", physics.density.as_ref().unwrap_or(&zero))?,
            self.everywhere(physics.rotation.as_ref().map_or(&Scalar::Number(0.0), |r| &r.speed))?,
        ];
        inputs.extend(self.vector(physics.body_force.as_deref())?);
        let mut lookups: Vec<(usize, Option<PropertyTable>)> = Vec::new();
        for (_, property) in physics.properties() {
            lookups.push(match property {
                Property::Scalar(scalar) => {
                    inputs.push(self.everywhere(scalar)?);
                    (inputs.len() - 1, None)
                }
                Property::Table(table) => (0, Some(table.clone())),
            });
        }
        // A property's input, and its value from the temperature or as it is.
        let property = |i: usize| {
            let (input, table) = lookups[i].clone();
            (input, move |v: &[f64]| table.as_ref().map_or(v[input], |table| table.at(v[0])))
        };
        let modulus = |divisor: fn(f64) -> f64| {
            let ((young, e), (poisson, nu)) = (property(0), property(1));
            ([young, poisson], move |v: &[f64]| e(v) / divisor(nu(v)))
        };
        let (elastic, bulk) = modulus(|nu| 3.0 * (1.0 - 2.0 * nu));
        let (_, shear) = modulus(|nu| 2.0 * (1.0 + nu));
        let (_, thermal) = modulus(|nu| 1.0 - 2.0 * nu);
        let (expansion, a) = property(9);
        let all = [0, 1, elastic[0], elastic[1], expansion];
        let mut outputs = vec![
            Output::of(&elastic, bulk),
            Output::of(&elastic, shear),
            Output::of(&all, move |v| thermal(v) * a(v) * (v[0] - v[1])),
        ];
        for i in 2..9 {
            let (input, read) = property(i);
            outputs.push(Output::of(&[input], read));
        }
        let axisymmetric = dimension == 2 && physics.plane == Some(Plane::Axisymmetric);
        for d in 0..dimension {
            outputs.push(match &physics.rotation {
                None => Output::input(BODY + d),
                Some(rotation) => {
                    let force = centrifugal(rotation, axisymmetric, d, [2, 3, BODY + d]);
                    Output { uses: vec![2, 3, BODY + d], position: true, combine: force }
                }
            });
        }
        let volume = Coefficients { reaction: true, inputs, outputs };
        self.finish_equation(Equation::Viscoplasticity, dimension, volume)
    }

    fn finish_equation(
        &self,
        equation: Equation,
        components: usize,
        volume: Coefficients,
    ) -> Result<Problem> {
        let space = self.space(components)?;
        let mut parts: Parts = vec![(Place::Volume, self.key(), volume, Vec::new())];
        for (number, boundary) in self.physics.boundary().iter().enumerate() {
            let Some(coefficients) = self.natural(equation, boundary)? else { continue };
            let facets = self.natural_facets(boundary, number)?;
            parts.push((Place::Boundary, self.boundary_key(number), coefficients, facets));
        }
        if let Physics::NavierStokes(model) = self.physics {
            parts.push(self.open_boundary(model)?);
        }
        self.finish(Model::Equation(equation), space, parts)
    }

    /// The term of a flow's boundary that is open: without a condition, or with a pressure alone.
    fn open_boundary(&self, model: &NavierStokes) -> Result<(Place, String, Coefficients, Vec<u32>)> {
        let dimension = self.mesh.dimension;
        let closes = |boundary: &deck::Boundary| match boundary.condition() {
            Some(deck::Condition::Essential(value)) => (0..dimension).any(|i| value.component(i).is_some()),
            Some(deck::Condition::Traction(_)) => true,
            _ => false,
        };
        let closed: std::collections::HashSet<u32> =
            self.physics.boundary().iter().filter(|b| closes(b)).flat_map(|b| self.facets(b)).collect();
        let facets = self.mesh.facets.boundary().into_iter().filter(|f| !closed.contains(f)).collect();
        let mut inputs = vec![vec![ZERO; self.mesh.region_names.len()]; dimension + 1];
        inputs.push(self.regions("viscosity", &model.viscosity)?);
        let outputs = (0..inputs.len()).map(Output::input).collect();
        let coefficients = Coefficients { reaction: true, inputs, outputs };
        Ok((Place::Boundary, self.key(), coefficients, facets))
    }

    /// The coefficients of a natural condition; `None` for an essential one.
    fn natural(&self, equation: Equation, boundary: &deck::Boundary) -> Result<Option<Coefficients>> {
        let dimension = self.mesh.dimension;
        // A solid has an elastic foundation between pressure and traction.
        let solid = usize::from(equation.has_history());
        // What opens a boundary of a flow comes last, see `open_boundary`.
        let flow = usize::from(equation == Equation::NavierStokes);
        let Some(condition) = boundary.condition() else { return Ok(None) };
        let (inputs, robin) = match condition {
            deck::Condition::Essential(_) => return Ok(None),
            deck::Condition::Flux(value) => (vec![self.scalar(value)?, ZERO, ZERO], true),
            deck::Condition::Robin { coefficient, ambient } => {
                (vec![ZERO, self.scalar(coefficient)?, self.scalar(ambient)?], true)
            }
            deck::Condition::Absorbing { wave_number, incoming } => {
                let mut inputs = vec![self.scalar(wave_number)?];
                for i in 0..2 {
                    inputs.push(incoming.map_or(Ok(ZERO), |list| self.scalar(&list[i]))?);
                }
                (inputs, false)
            }
            deck::Condition::Pressure(value) => {
                let mut inputs = vec![ZERO; dimension + 1 + solid + flow];
                inputs[0] = self.scalar(value)?;
                (inputs, false)
            }
            deck::Condition::Traction(list) => {
                let mut inputs = vec![ZERO; 1 + solid];
                for i in 0..dimension {
                    inputs.push(list.get(i).map_or(Ok(ZERO), |value| self.scalar(value))?);
                }
                inputs.extend(vec![ZERO; flow]);
                (inputs, false)
            }
            deck::Condition::Foundation(value) => {
                let mut inputs = vec![ZERO; dimension + 2];
                inputs[1] = self.scalar(value)?;
                (inputs, false)
            }
        };
        let outputs = match robin {
            true => vec![Output::input(0), Output::input(1), Output::of(&[1, 2], |v| v[1] * v[2])],
            false => (0..inputs.len()).map(Output::input).collect(),
        };
        let inputs = inputs.into_iter().map(|source| vec![source]).collect();
        Ok(Some(Coefficients { reaction: true, inputs, outputs }))
    }

    /// A scalar that is the same in every region.
    fn everywhere(&self, scalar: &Scalar) -> Result<Vec<Source>> {
        Ok(vec![self.scalar(scalar)?; self.mesh.region_names.len()])
    }

    /// The components of a vector, zero where there is none.
    fn vector(&self, list: Option<&[Scalar]>) -> Result<Vec<Vec<Source>>> {
        let zero = Scalar::Number(0.0);
        (0..self.mesh.dimension)
            .map(|d| self.everywhere(list.and_then(|list| list.get(d)).unwrap_or(&zero)))
            .collect()
    }
}
