//! From the deck's `[[physics]]` to a [`Problem`].
use super::coefficient::{Coefficients, Combine, FieldExpression, NodalField, Output, Source};
use super::file_field::FileSource;
use super::problem::{Condition, Model, Place, Problem};
use super::quantity::facet_nodes;
use crate::deck::{
    self, Boundary, COORDINATES, Coefficient, Deck, Diffusion, Elasticity, Expression, Physics, Plane,
    Rotation, Scalar, Tensor,
};
use crate::fem::Space;
use crate::mesh::Mesh;
use crate::{Error, Result};
use indexmap::IndexMap;
use std::rc::Rc;
use tessera_kernels::models::elasticity::{Reduction, lame, thermal_modulus};

/// Random fields and fields of earlier problems, by the name of the field or the problem.
pub type Inputs<'a> = &'a [(String, Rc<NodalField>)];

/// Builds problem `index` of a deck whose markers have been checked against the mesh. Collective.
///
/// # Errors
/// [`Error::Input`] when an input does not fit the mesh.
pub fn build(deck: &Deck, index: usize, mesh: &Rc<Mesh>, inputs: Inputs) -> Result<Problem> {
    let physics = &deck.physics[index];
    let builder = Builder { deck, physics, mesh, inputs, variables: deck.field_variables() };
    match physics {
        Physics::Diffusion(model) if deck.time.is_none() => builder.diffusion(model),
        Physics::Elasticity(model) => builder.elasticity(model),
        other => builder.equation(other),
    }
}

/// Component `d` of a body force and the centrifugal load `rho omega^2 r`, with r the vector from the axis;
/// `inputs` says which are density, angular speed and body force.
pub(super) fn centrifugal(
    rotation: &Rotation,
    axisymmetric: bool,
    d: usize,
    [density, speed, body]: [usize; 3],
) -> Box<Combine> {
    let axis = unit(&rotation.axis, axisymmetric);
    let origin = pad(&rotation.origin);
    Box::new(move |v, x| {
        let along: f64 = (0..3).map(|i| (x[i] - origin[i]) * axis[i]).sum();
        v[body] + v[density] * v[speed] * v[speed] * (x[d] - origin[d] - along * axis[d])
    })
}

/// What building one problem needs.
pub(super) struct Builder<'a> {
    deck: &'a Deck,
    pub(super) physics: &'a Physics,
    pub(super) mesh: &'a Rc<Mesh>,
    inputs: Inputs<'a>,
    /// Names that expressions may use.
    variables: Vec<String>,
}

pub(super) type Parts = Vec<(Place, String, Coefficients, Vec<u32>)>;

impl Builder<'_> {
    fn diffusion(&self, physics: &Diffusion) -> Result<Problem> {
        let space = self.space(1)?;
        let (tensor, inputs) = self.conductive(physics)?;
        let present = !inputs[inputs.len() - 2].iter().all(|source| matches!(source, Source::Constant(0.0)));
        let outputs = (0..inputs.len()).map(Output::input).collect();
        let volume = Coefficients { reaction: present, inputs, outputs };
        let mut parts: Parts = vec![(Place::Volume, self.key(), volume, Vec::new())];
        for (number, boundary) in physics.boundary.iter().enumerate() {
            let (mut flux, mut coefficient, mut ambient) = (ZERO, ZERO, ZERO);
            match boundary.condition() {
                Some(deck::Condition::Flux(value)) => flux = self.scalar(value)?,
                Some(deck::Condition::Robin { coefficient: h, ambient: u }) => {
                    (coefficient, ambient) = (self.scalar(h)?, self.scalar(u)?);
                }
                _ => continue,
            }
            let coefficients = Coefficients {
                reaction: !matches!(coefficient, Source::Constant(0.0)),
                inputs: vec![vec![flux], vec![coefficient], vec![ambient]],
                outputs: vec![Output::input(0), Output::input(1), Output::of(&[1, 2], |v| v[1] * v[2])],
            };
            parts.push((Place::Boundary, self.boundary_key(number), coefficients, self.facets(boundary)));
        }
        self.finish(Model::Diffusion { anisotropic: tensor }, space, parts)
    }

    /// Conductivity (by entries of the tensor, if it is one), reaction and source, and whether it is a tensor.
    pub(super) fn conductive(&self, physics: &Diffusion) -> Result<(bool, Vec<Vec<Source>>)> {
        let tensor = is_tensor(&physics.conductivity);
        let mut inputs = match tensor {
            true => self.tensor("conductivity", &physics.conductivity)?,
            false => vec![self.regions("conductivity", &physics.conductivity)?],
        };
        inputs.push(self.regions("reaction", &physics.reaction)?);
        inputs.push(self.regions("source", &physics.source)?);
        Ok((tensor, inputs))
    }

    fn elasticity(&self, physics: &Elasticity) -> Result<Problem> {
        let dimension = self.mesh.dimension;
        let axisymmetric = physics.plane == Some(Plane::Axisymmetric);
        let reduction = match (dimension, physics.plane) {
            (1, _) => Reduction::Bar,
            (2, Some(Plane::Stress)) => Reduction::PlaneStress,
            _ => Reduction::Full,
        };
        let space = self.space(dimension)?;
        let zero = Coefficient::from(0.0);
        // Inputs: young, poisson, density, expansion, temperature, reference, speed, body force.
        const BODY: usize = 7;
        let mut inputs = vec![
            self.regions("young", &physics.young)?,
            self.regions("poisson", &physics.poisson)?,
            self.regions("density", physics.density.as_ref().unwrap_or(&zero))?,
            self.regions("expansion", &physics.expansion)?,
            self.regions("temperature", physics.temperature.as_ref().unwrap_or(&zero))?,
            self.regions("reference_temperature", &physics.reference_temperature)?,
        ];
        let regions = self.mesh.region_names.len();
        let speed = physics.rotation.as_ref().map_or(Ok(ZERO), |rotation| self.scalar(&rotation.speed))?;
        inputs.push(vec![speed; regions]);
        for d in 0..dimension {
            let force = physics.body_force.as_ref().and_then(|list| list.get(d));
            inputs.push(vec![force.map_or(Ok(ZERO), |value| self.scalar(value))?; regions]);
        }
        let mut outputs = vec![
            Output::of(&[0, 1], move |v| lame(reduction, v[0], v[1]).0),
            Output::of(&[0, 1], move |v| lame(reduction, v[0], v[1]).1),
        ];
        outputs.push(if physics.temperature.is_some() {
            Output::of(&[0, 1, 3, 4, 5], move |v| {
                thermal_modulus(reduction, v[0], v[1]) * v[3] * (v[4] - v[5])
            })
        } else {
            Output::of(&[], |_| 0.0)
        });
        for d in 0..dimension {
            outputs.push(match &physics.rotation {
                None => Output::input(BODY + d),
                Some(rotation) => {
                    let force = centrifugal(rotation, axisymmetric, d, [2, 6, BODY + d]);
                    Output { uses: vec![2, 6, BODY + d], position: true, combine: force }
                }
            });
        }
        let volume = Coefficients { reaction: false, inputs, outputs };
        let mut parts: Parts = vec![(Place::Volume, self.key(), volume, Vec::new())];
        for (number, boundary) in physics.boundary.iter().enumerate() {
            let (mut pressure, mut foundation, mut traction) = (ZERO, ZERO, vec![ZERO; dimension]);
            match boundary.condition() {
                Some(deck::Condition::Pressure(value)) => pressure = self.scalar(value)?,
                Some(deck::Condition::Foundation(value)) => foundation = self.scalar(value)?,
                Some(deck::Condition::Traction(list)) => {
                    for (component, value) in traction.iter_mut().zip(list) {
                        *component = self.scalar(value)?;
                    }
                }
                _ => continue,
            }
            let facets = self.natural_facets(boundary, number)?;
            let reaction = !matches!(foundation, Source::Constant(0.0));
            let inputs: Vec<_> =
                [pressure, foundation].into_iter().chain(traction).map(|s| vec![s]).collect();
            let outputs = (0..inputs.len()).map(Output::input).collect();
            let coefficients = Coefficients { reaction, inputs, outputs };
            parts.push((Place::Boundary, self.boundary_key(number), coefficients, facets));
        }
        self.finish(Model::Elasticity { reduction }, space, parts)
    }

    /// The space of the physics.
    pub(super) fn space(&self, components: usize) -> Result<Rc<Space>> {
        let axisymmetric = self.physics.plane() == Some(Plane::Axisymmetric);
        let space = Space::new(self.mesh.clone(), self.physics.degree(), components)?;
        Ok(Rc::new(space.around_axis(axisymmetric)))
    }

    pub(super) fn finish(&self, model: Model, space: Rc<Space>, parts: Parts) -> Result<Problem> {
        let conditions = self.conditions(&space)?;
        let names = (self.physics.name().into(), self.physics.field().into(), self.physics.unit().into());
        Problem::new(names, model, space, parts, conditions)
    }

    pub(super) fn key(&self) -> String {
        format!("physics.{}", self.physics.name())
    }

    pub(super) fn boundary_key(&self, number: usize) -> String {
        format!("physics.{}.boundary[{number}]", self.physics.name())
    }

    fn fault(&self, key: &str, message: String) -> Error {
        self.deck.fault(&format!("{}.{key}", self.key()), message)
    }

    /// One source for each region of the mesh.
    pub(super) fn regions(&self, key: &str, coefficient: &Coefficient) -> Result<Vec<Source>> {
        let names = &self.mesh.region_names;
        match coefficient {
            Coefficient::Uniform(tensor) => Ok(vec![self.isotropic(key, tensor)?; names.len()]),
            Coefficient::Regions(table) => {
                names.iter().map(|name| self.isotropic(key, self.of_region(key, table, name)?)).collect()
            }
            Coefficient::Physics(source) => {
                let field =
                    self.inputs.iter().find(|(name, _)| *name == source.physics).ok_or_else(|| {
                        self.fault(
                            key,
                            format!("\"{}\" is no earlier physics with a scalar field", source.physics),
                        )
                    })?;
                Ok(vec![Source::Nodal(field.1.clone()); names.len()])
            }
            Coefficient::File(source) => {
                let positive = ["conductivity", "young"].contains(&key);
                let path = self.deck.resolve(&source.file);
                let interval = self.deck.time.as_ref().map(|time| (time.start, time.end));
                let source = FileSource { path: &path, dataset: &source.dataset, positive, interval }
                    .read(self.mesh)
                    .map_err(|error| self.fault(key, error.to_string()))?;
                Ok(vec![source; names.len()])
            }
        }
    }

    fn isotropic(&self, key: &str, tensor: &Tensor) -> Result<Source> {
        match tensor {
            Tensor::Isotropic(scalar) => self.scalar(scalar),
            _ => Err(self.fault(key, "a scalar is needed here, not a tensor".into())),
        }
    }

    /// A table's entry for a region of the mesh.
    fn of_region<'a>(
        &self,
        key: &str,
        table: &'a IndexMap<String, Tensor>,
        name: &str,
    ) -> Result<&'a Tensor> {
        table.get(name).or_else(|| table.get("default")).ok_or_else(|| {
            self.fault(key, format!("no value for the region \"{name}\" of the mesh, and no `default`"))
        })
    }

    /// The entries of a tensor, row by row, each with one source for each region.
    pub(super) fn tensor(&self, key: &str, coefficient: &Coefficient) -> Result<Vec<Vec<Source>>> {
        let d = self.mesh.dimension;
        let names = &self.mesh.region_names;
        let mut entries = vec![Vec::with_capacity(names.len()); d * d];
        for name in names {
            let tensor = match coefficient {
                Coefficient::Uniform(tensor) => tensor,
                Coefficient::Regions(table) => self.of_region(key, table, name)?,
                _ => return Err(self.fault(key, "a tensor cannot come from a file".into())),
            };
            let wrong =
                || self.fault(key, format!("a tensor in {d} dimensions has {d} entries or {d} rows of {d}"));
            for i in 0..d {
                for j in 0..d {
                    entries[i * d + j].push(match tensor {
                        Tensor::Isotropic(scalar) if i == j => self.scalar(scalar)?,
                        Tensor::Diagonal(list) if list.len() != d => return Err(wrong()),
                        Tensor::Diagonal(list) if i == j => self.scalar(&list[i])?,
                        Tensor::Full(rows) => {
                            self.scalar(rows.get(i).and_then(|row| row.get(j)).ok_or_else(wrong)?)?
                        }
                        _ => ZERO,
                    });
                }
            }
        }
        Ok(entries)
    }

    pub(super) fn scalar(&self, scalar: &Scalar) -> Result<Source> {
        Ok(match scalar {
            Scalar::Number(value) => Source::Constant(*value),
            Scalar::Expression(text) => {
                let expression = scalar
                    .parse(&self.variables)
                    .map_err(|error| self.fault("expression", format!("`{text}`: {error}")))?;
                source(self.deck, expression, self.inputs)
            }
        })
    }

    /// The mesh's facets that carry a boundary's markers, each once, as from
    /// [`Facets::distinct`](crate::mesh::Facets::distinct).
    pub(super) fn facets(&self, boundary: &Boundary) -> Vec<u32> {
        let facets = &self.mesh.facets;
        let names = boundary.marker.iter().flat_map(|names| names.iter());
        let markers: Vec<u16> = names.filter_map(|name| facets.marker(name)).collect();
        facets.distinct(|marker| markers.contains(&marker))
    }

    /// As [`Builder::facets`] for a natural condition; those that act along the outer normal are refused on facets inside
    /// the body, which have none. Collective.
    pub(super) fn natural_facets(&self, boundary: &Boundary, number: usize) -> Result<Vec<u32>> {
        let kind = match boundary.condition() {
            Some(deck::Condition::Pressure(_)) => "pressure",
            Some(deck::Condition::Foundation(_)) => "foundation",
            _ => return Ok(self.facets(boundary)),
        };
        let (facets, comm) = (self.facets(boundary), &self.mesh.comm);
        let inner = facets.iter().filter(|&&f| self.mesh.facets.is_inner(f as usize)).count() as u64;
        if comm.sum(inner) > 0 {
            let message = format!(
                "a {kind} acts along the outer normal, but facets of this marker lie inside the body and have two \
                 sides: give a `traction`, which acts once, or split the mesh along the marker"
            );
            return Err(self.fault(&format!("boundary[{number}].{kind}"), message));
        }
        Ok(facets)
    }

    fn conditions(&self, space: &Space) -> Result<Vec<Condition>> {
        let mut conditions = Vec::new();
        for (number, boundary) in self.physics.boundary().iter().enumerate() {
            let Some(deck::Condition::Essential(value)) = boundary.condition() else {
                continue;
            };
            let values = (0..space.components)
                .map(|component| value.component(component).map(|scalar| self.scalar(scalar)).transpose())
                .collect::<Result<_>>()?;
            let (mut nodes, facets) = match &boundary.point {
                Some(point) => (self.nearest_node(space, &pad(point), number)?, Vec::new()),
                None => {
                    let facets = self.facets(boundary);
                    (facet_nodes(space, &facets), facets)
                }
            };
            nodes.sort_unstable();
            nodes.dedup();
            conditions.push(Condition { key: self.boundary_key(number), nodes, facets, values });
        }
        Ok(conditions)
    }

    /// The node at a point, on the rank that owns it. Collective.
    fn nearest_node(&self, space: &Space, point: &[f64; 3], number: usize) -> Result<Vec<u32>> {
        let comm = &self.mesh.comm;
        let distance = |node: usize| {
            let x = space.point(node);
            (0..3).map(|d| (x[d] - point[d]).powi(2)).sum::<f64>().sqrt()
        };
        let nearest = (0..space.owned_nodes).min_by(|&a, &b| distance(a).total_cmp(&distance(b)));
        let mine = nearest.map_or(f64::INFINITY, distance);
        let least = comm.min(mine);
        // A tenth of the spacing of the nodes there tells a misplaced point from round-off in the mesh file.
        let spacing =
            comm.max(if mine == least { nearest.map_or(0.0, |n| spacing_at(space, n)) } else { 0.0 });
        if least > 0.1 * spacing {
            let key = format!("boundary[{number}].point");
            return Err(self.fault(&key, format!("no node is there; the nearest one is {least:.3e} m away")));
        }
        let holder = comm.min(if mine == least { comm.rank() as u64 } else { u64::MAX }) as usize;
        Ok(nearest.filter(|_| holder == comm.rank()).map(|n| n as u32).into_iter().collect())
    }
}

/// The least distance from an owned node to another one of its cells, m.
fn spacing_at(space: &Space, node: usize) -> f64 {
    let x = space.point(node);
    let cells = space.cell_nodes.chunks_exact(space.element.functions());
    let around = cells.filter(|nodes| nodes.contains(&(node as u32))).flatten();
    let distance = |&other: &u32| {
        let y = space.point(other as usize);
        (0..3).map(|d| (x[d] - y[d]).powi(2)).sum::<f64>().sqrt()
    };
    around.filter(|&&other| other as usize != node).map(distance).fold(f64::INFINITY, f64::min)
}

/// An expression in the variables of [`Deck::field_variables`], with the random fields that it uses.
pub fn source(deck: &Deck, expression: Expression, inputs: Inputs) -> Source {
    if let Some(value) = expression.as_constant() {
        return Source::Constant(value);
    }
    let known = deck.parameters.len();
    let field = |parameter: usize| {
        let (name, _) = deck.random.get_index(parameter.checked_sub(known)?)?;
        let (_, field) = inputs.iter().find(|(other, _)| other == name)?;
        Some((COORDINATES.len() + parameter, field.clone()))
    };
    let fields: Vec<_> = expression.parameters().filter_map(field).collect();
    if fields.is_empty() {
        return Source::Expression(Rc::new(expression));
    }
    let variables = COORDINATES.len() + known + deck.random.len();
    Source::Fields(Rc::new(FieldExpression { expression, fields, variables }))
}

pub(super) const ZERO: Source = Source::Constant(0.0);

fn is_tensor(coefficient: &Coefficient) -> bool {
    let tensor = |t: &Tensor| !matches!(t, Tensor::Isotropic(_));
    match coefficient {
        Coefficient::Uniform(value) => tensor(value),
        Coefficient::Regions(table) => table.values().any(tensor),
        _ => false,
    }
}

fn pad(point: &[f64]) -> [f64; 3] {
    std::array::from_fn(|i| point.get(i).copied().unwrap_or(0.0))
}

/// Unit vector of a rotation axis; an axisymmetric body turns around its second coordinate.
fn unit(axis: &[f64], axisymmetric: bool) -> [f64; 3] {
    if axisymmetric {
        return [0.0, 1.0, 0.0];
    }
    let axis = pad(axis);
    let length = axis.iter().map(|a| a * a).sum::<f64>().sqrt();
    axis.map(|a| a / length)
}
