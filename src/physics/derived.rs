//! Fields computed from a solution: fluxes, vorticities, strains, stresses.
//!
//! Gradients jump between cells. Nodal values are the averages of the surrounding cells' values at
//! the node, weighted with the cells' volumes (Zienkiewicz and Taylor, vol. 1, section 13.3: simple
//! averaging). At the interface of two materials that average has no physical meaning; refine there
//! or look at the cells of one side.
use super::coefficient::{Context, Output};
use super::equation::Equation;
use super::problem::{Model, Problem};
use crate::Result;
use crate::fem::functional::{cell_entities, nodal_rule, visit};
use crate::fem::{Domain, Values};
use petsc_rs::Vector;
use tessera_kernels::models::elasticity::Reduction;

/// Description of a derived field.
#[derive(Debug, Clone, PartialEq)]
pub struct Derived {
    /// Name in decks and files.
    pub name: &'static str,
    /// Values at a node.
    pub components: usize,
    /// What the components are.
    pub component_names: &'static [&'static str],
    /// Unit in SI.
    pub unit: &'static str,
    /// Meaning, for file attributes.
    pub meaning: &'static str,
}

pub(super) const TENSOR: &[&str] = &["xx", "xy", "xz", "yy", "yz", "zz"];

/// The fields that a model can derive in `dimension` dimensions.
pub fn available(model: Model, dimension: usize) -> Vec<Derived> {
    match model {
        Model::Diffusion { .. } | Model::Equation(Equation::TransientDiffusion { .. }) => vec![Derived {
            name: "flux",
            components: dimension,
            component_names: &["x", "y", "z"][..dimension],
            unit: "",
            meaning: "flux -K grad u (W/m2 for heat, m/s for Darcy flow), gradients averaged at nodes over all regions",
        }],
        Model::Equation(equation) if equation.has_history() => super::internal::available(),
        Model::Equation(Equation::NavierStokes) => vec![Derived {
            name: "vorticity",
            components: if dimension == 2 { 1 } else { 3 },
            component_names: if dimension == 2 { &[] } else { &["x", "y", "z"] },
            unit: "1/s",
            meaning: "curl of the velocity",
        }],
        Model::Equation(_) => Vec::new(),
        Model::Elasticity { .. } => vec![
            Derived {
                name: "stress",
                components: 6,
                component_names: TENSOR,
                unit: "Pa",
                meaning: "Cauchy stress (axisymmetric: zz is the hoop component, yy the axial one), averaged at nodes over all regions",
            },
            Derived {
                name: "strain",
                components: 6,
                component_names: TENSOR,
                unit: "1",
                meaning: "total small strain, thermal part included (plane stress, bars: with what free contraction gives across), averaged at nodes over all regions",
            },
            Derived {
                name: "von_mises",
                components: 1,
                component_names: &[],
                unit: "Pa",
                meaning: "equivalent stress of von Mises, from the averaged stress",
            },
        ],
    }
}

/// Von Mises' equivalent stress of a symmetric tensor `[xx, xy, xz, yy, yz, zz]`.
pub fn von_mises(s: &[f64]) -> f64 {
    let (xx, xy, xz, yy, yz, zz) = (s[0], s[1], s[2], s[3], s[4], s[5]);
    let normal = (xx - yy).powi(2) + (yy - zz).powi(2) + (zz - xx).powi(2);
    (0.5 * normal + 3.0 * (xy * xy + xz * xz + yz * yz)).sqrt()
}

impl Problem {
    /// A derived field at the nodes, averaged over the cells of one region alone if one is given (and zero at nodes that
    /// have none of it). `state` holds all local unknowns, ghosts updated. Collective.
    pub fn derive(
        &self,
        field: &Derived,
        context: &Context,
        state: &[f64],
        region: Option<u16>,
    ) -> Result<Vector> {
        let space = &self.space;
        let rule = nodal_rule(&space.element);
        let functions = space.element.functions();
        let cells = space.mesh.cell_ids.len();
        let within = |&cell: &usize| region.is_none_or(|region| space.mesh.cell_regions[cell] == region);
        let entities = cell_entities(space, (0..cells).filter(within));
        let domain = Domain { rule: &rule, entities: &entities };
        let coefficients = self.local_values(context, &domain, cells);
        let width = if field.name == "von_mises" { 6 } else { field.components };
        let mut sums = vec![0.0; space.owned_nodes * width];
        let mut weights = vec![0.0; space.owned_nodes];
        let mut local = vec![0.0; width];
        visit(space, state, &domain, |sample| {
            let node = space.cell_nodes[sample.cell * functions + sample.point] as usize;
            if node < space.owned_nodes {
                self.at_point(field.name, &coefficients, sample, functions, &mut local);
                weights[node] += sample.plane_weight;
                for (sum, value) in sums[node * width..].iter_mut().zip(&local) {
                    *sum += sample.plane_weight * value;
                }
            }
        });
        self.nodal_means(field, &sums, &weights)
    }

    /// The field from sums and weights at the owned nodes. Collective.
    pub(super) fn nodal_means(&self, field: &Derived, sums: &[f64], weights: &[f64]) -> Result<Vector> {
        let mut result = self.space.field_of(field.components)?;
        {
            let mut values = result.write()?;
            let width = sums.len() / weights.len().max(1);
            let mut mean = vec![0.0; width];
            for (node, &weight) in weights.iter().enumerate() {
                for (mean, sum) in mean.iter_mut().zip(&sums[node * width..]) {
                    *mean = if weight > 0.0 { sum / weight } else { 0.0 };
                }
                match field.name {
                    "von_mises" => values[node] = von_mises(&mean),
                    // A fit may undershoot what never falls below zero.
                    "accumulated_plastic_strain" => values[node] = mean[0].max(0.0),
                    _ => values[node * width..][..width].copy_from_slice(&mean),
                }
            }
        }
        result.ghost_update()?;
        Ok(result)
    }

    /// The coefficients that [`Problem::at_point`] reads, on entities numbered `0..entities`; of a bar also Poisson's
    /// ratio, which its form does not need.
    pub(super) fn local_values(&self, context: &Context, domain: &Domain, entities: usize) -> Vec<Values> {
        let all = &self.integrals[0].coefficients;
        let poisson = Output::input(1);
        let bar = matches!(self.model, Model::Elasticity { reduction: Reduction::Bar });
        let more = bar.then_some(&poisson).into_iter();
        all.evaluate_outputs(
            all.outputs[self.local()].iter().chain(more),
            context,
            &self.space,
            domain,
            entities,
        )
    }

    /// The coefficients of the form that [`Problem::at_point`] reads: those of the load take time and do not matter.
    pub(super) fn local(&self) -> std::ops::Range<usize> {
        let all = self.integrals[0].coefficients.outputs.len();
        let dimension = self.space.mesh.dimension;
        0..match self.model {
            Model::Diffusion { anisotropic: false } => 1,
            Model::Diffusion { anisotropic: true } => dimension * dimension,
            Model::Elasticity { .. } => 3,
            Model::Equation(_) => all,
        }
    }

    /// Flux, vorticity, strain or stress at a quadrature point, from the coefficients there.
    pub fn at_point(
        &self,
        name: &str,
        coefficients: &[Values],
        sample: &crate::fem::functional::Sample,
        points: usize,
        result: &mut [f64],
    ) {
        let dimension = self.space.mesh.dimension;
        let (index, region) = (sample.entity.0 as usize, sample.entity.1 as usize);
        let k = |output: usize| coefficients[output].at(index, region, sample.point, points);
        match self.model {
            Model::Equation(Equation::NavierStokes) if name == "vorticity" => {
                let curl = |i: usize, j: usize| sample.gradient[j][i] - sample.gradient[i][j];
                match dimension {
                    2 => result[0] = curl(0, 1),
                    _ => result.copy_from_slice(&[curl(1, 2), curl(2, 0), curl(0, 1)]),
                }
            }
            Model::Equation(Equation::NavierStokes) => {
                result[..dimension].copy_from_slice(&sample.value[..dimension]);
            }
            Model::Diffusion { anisotropic }
            | Model::Equation(Equation::TransientDiffusion { anisotropic }) => {
                for i in 0..dimension {
                    result[i] = if anisotropic {
                        -(0..dimension).map(|j| k(i * dimension + j) * sample.gradient[0][j]).sum::<f64>()
                    } else {
                        -k(0) * sample.gradient[0][i]
                    };
                }
            }
            Model::Equation(equation) => {
                let u = sample.value[0];
                let conductivity = match equation {
                    Equation::PorousMedium => u.abs().powf(k(0)),
                    Equation::Stefan => k(usize::from(u >= k(2))),
                    // The first coefficient is a diffusivity.
                    _ => k(0),
                };
                (0..dimension).for_each(|i| result[i] = -conductivity * sample.gradient[0][i]);
            }
            Model::Elasticity { reduction } => {
                let (lambda, mu, held_back) = (k(0), k(1), k(2));
                let g = |i: usize, j: usize| if i < dimension { sample.gradient[i][j] } else { 0.0 };
                let shear = |i, j| 0.5 * (g(i, j) + g(j, i));
                let mut strain = [g(0, 0), shear(0, 1), shear(0, 2), g(1, 1), shear(1, 2), g(2, 2)];
                if self.space.axisymmetric {
                    let r = sample.position()[0];
                    strain[5] = if r > 0.0 { sample.value[0] / r } else { strain[0] };
                }
                let trace = strain[0] + strain[3] + strain[5];
                let mut stress = strain;
                stress.iter_mut().for_each(|e| *e *= 2.0 * mu);
                for i in [0, 3, 5] {
                    stress[i] += lambda * trace - held_back;
                }
                // Across a sheet or bar there is no stress, and the strain follows.
                match reduction {
                    Reduction::Full => {}
                    Reduction::PlaneStress => {
                        let thermal = held_back / (2.0 * (lambda + mu));
                        strain[5] = thermal - 0.5 * lambda / mu * (trace - 2.0 * thermal);
                        stress[5] = 0.0;
                    }
                    Reduction::Bar => {
                        let thermal = held_back / (2.0 * mu);
                        if name == "strain" {
                            let across = thermal - k(3) * (strain[0] - thermal);
                            (strain[3], strain[5]) = (across, across);
                        }
                        (stress[3], stress[5]) = (0.0, 0.0);
                    }
                }
                result.copy_from_slice(if name == "strain" { &strain } else { &stress });
            }
        }
    }
}
