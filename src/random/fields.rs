//! A deck's random fields, drawn sample by sample.
use super::matern::Matern;
use super::noise::Noise;
use super::spectral::Spectral;
use crate::deck::{self, Deck, RandomField};
use crate::fem::Space;
use crate::mesh::Mesh;
use crate::physics::coefficient::NodalField;
use crate::{Error, Result};
use std::rc::Rc;

/// The random fields of a deck, at one draw.
pub struct RandomFields {
    fields: Vec<Drawn>,
    /// Lower triangular factor of the correlations of their noise, unless all are independent.
    factor: Option<Vec<Vec<f64>>>,
    sample: Option<u64>,
}

struct Drawn {
    name: String,
    seed: u64,
    kind: Kind,
    field: Rc<NodalField>,
}

impl Drawn {
    fn name(&self) -> &str {
        &self.name
    }
}

const NOT_CUT_OFF: &str = "a reduced model draws the terms of an expansion: cut it off with `terms`";

enum Kind {
    Matern(Box<Matern>),
    Spectral(Box<Spectral>),
    Expanded(Expansion),
}

/// A random field as a sum of few functions with independent standard normal coefficients, on any nodes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Expansion {
    /// Name of the field.
    pub name: String,
    /// The numbers of the noise that its coefficients are.
    pub numbers: Vec<u64>,
    /// The functions with their standard deviations, `[node, function]`; in a file `[cell, vertex of the cell, function]`.
    pub values: Vec<f64>,
}

impl RandomFields {
    /// Sets up the fields and draws number 0. Collective.
    ///
    /// # Errors
    /// When a field does not fit the mesh, or PETSc fails.
    pub fn new(deck: &Deck, mesh: &Rc<Mesh>) -> Result<Self> {
        let mut fields = Vec::new();
        if !deck.random.is_empty() {
            let space = Rc::new(Space::new(mesh.clone(), 1, 1)?);
            for (name, section) in &deck.random {
                let kind = match section {
                    RandomField::Matern(m) => Kind::Matern(Box::new(Matern::new(&space, name, m)?)),
                    RandomField::Spectral(s) => Kind::Spectral(Box::new(Spectral::new(&space, deck, s))),
                };
                let field = Rc::new(NodalField::new(space.clone()));
                fields.push(Drawn { name: name.clone(), seed: section.seed(), kind, field });
            }
        }
        // The deck has been checked: the correlations are positive definite.
        let factor = deck::correlation_factor(&deck.random).ok().flatten();
        let mut result = Self { fields, factor, sample: None };
        result.draw(0)?;
        Ok(result)
    }

    /// Fields by their expansions at the nodes of a space, in the order of the deck; draws number 0. Local.
    ///
    /// # Errors
    /// When an expansion is missing or does not fit the space, or PETSc fails.
    pub fn expanded(deck: &Deck, space: &Rc<Space>, expansions: Vec<Expansion>) -> Result<Self> {
        let mut fields = Vec::new();
        for ((name, section), own) in deck.random.iter().zip(expansions) {
            let count = space.local_nodes() * own.numbers.len();
            if own.name != *name || section.terms() != Some(own.numbers.len()) || own.values.len() != count {
                return Err(Error::storage(format!(
                    "the random field \"{name}\" of the model is not the deck's"
                )));
            }
            let field = Rc::new(NodalField::new(space.clone()));
            fields.push(Drawn { name: name.clone(), seed: section.seed(), kind: Kind::Expanded(own), field });
        }
        if fields.len() < deck.random.len() {
            return Err(Error::storage("the model lacks random fields of its deck"));
        }
        let factor = deck::correlation_factor(&deck.random).ok().flatten();
        let mut result = Self { fields, factor, sample: None };
        result.draw(0)?;
        Ok(result)
    }

    /// The functions of each field's expansion at the owned nodes of its space, `[field][function]`, with the field's name and the
    /// numbers of the noise. Local.
    ///
    /// # Errors
    /// When the expansion of a field is not cut off.
    pub fn functions(&self) -> Result<Vec<(Expansion, Vec<Vec<f64>>)>> {
        let of = |drawn: &Drawn| {
            let numbers = match &drawn.kind {
                Kind::Matern(matern) => matern.deviations().map(|own| (0..own.len() as u64).collect()),
                Kind::Spectral(spectral) => spectral.deviations().map(|_| spectral.numbers()),
                Kind::Expanded(_) => None,
            };
            let whole = || Error::input(format!("random.{}", drawn.name), NOT_CUT_OFF);
            let numbers: Vec<u64> = numbers.ok_or_else(whole)?;
            let one = |k: usize| {
                let mut values = vec![0.0; drawn.field.space.owned_nodes];
                match &drawn.kind {
                    Kind::Matern(matern) => matern.function(k, &mut values),
                    Kind::Spectral(spectral) => spectral.function(k, &mut values),
                    Kind::Expanded(_) => {}
                }
                values
            };
            let functions = (0..numbers.len()).map(one).collect();
            Ok((Expansion { name: drawn.name.clone(), numbers, values: Vec::new() }, functions))
        };
        self.fields.iter().map(of).collect()
    }

    /// Refuses fields of which [`RandomFields::functions`] has none. Local.
    ///
    /// # Errors
    /// When the expansion of a field is not cut off.
    pub fn expect_cut_off(deck: &Deck) -> Result<()> {
        match deck.random.iter().find(|(_, field)| field.terms().is_none()) {
            Some((name, _)) => Err(Error::input(format!("random.{name}"), NOT_CUT_OFF)),
            None => Ok(()),
        }
    }

    /// The coefficients of all expansions that are cut off in a sample, field after field. Local.
    pub fn point(&self, sample: u64) -> Vec<f64> {
        (0..self.fields.len()).flat_map(|number| self.coefficients(number, sample)).collect()
    }

    /// Draws the sample of that number, unless it is there. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn draw(&mut self, sample: u64) -> Result<()> {
        if self.sample == Some(sample) {
            return Ok(());
        }
        for number in 0..self.fields.len() {
            let noise = self.noise(number, sample);
            let Drawn { kind, field, .. } = &mut self.fields[number];
            let mut vector = field.space.field()?;
            match kind {
                Kind::Matern(matern) => matern.draw(&noise, &mut vector)?,
                Kind::Spectral(spectral) => spectral.draw(&noise, &mut vector.write()?),
                Kind::Expanded(own) => {
                    let weights: Vec<f64> = own.numbers.iter().map(|&number| noise.normal(number)).collect();
                    let rows = own.values.chunks_exact(weights.len().max(1));
                    let sum = |row: &[f64]| row.iter().zip(&weights).map(|(f, w)| f * w).sum();
                    vector.write()?.iter_mut().zip(rows).for_each(|(value, row)| *value = sum(row));
                }
            }
            vector.ghost_update()?;
            field.values.borrow_mut().copy_from_slice(&vector.local_read()?);
        }
        self.sample = Some(sample);
        Ok(())
    }

    /// The noise of a field in a sample.
    fn noise(&self, number: usize, sample: u64) -> Noise {
        let own = |drawn: &Drawn| Noise::new(drawn.seed, &drawn.name, sample);
        match &self.factor {
            None => own(&self.fields[number]),
            Some(factor) => {
                let parts = self.fields.iter().zip(&factor[number]).filter(|(_, weight)| **weight != 0.0);
                Noise::sum(parts.map(|(drawn, &weight)| (weight, own(drawn))))
            }
        }
    }

    /// The fields whose Karhunen-Loeve expansion is cut off: number, name and the standard deviations of its
    /// coefficients. Local.
    pub fn expansions(&self) -> Vec<(usize, &str, Vec<f64>)> {
        let deviations = |drawn: &Drawn| match &drawn.kind {
            Kind::Matern(matern) => matern.deviations().map(<[f64]>::to_vec),
            Kind::Spectral(spectral) => spectral.deviations(),
            Kind::Expanded(_) => None,
        };
        let expansion = |(number, drawn)| Some((number, Drawn::name(drawn), deviations(drawn)?));
        self.fields.iter().enumerate().filter_map(expansion).collect()
    }

    /// The coefficients, standard normal numbers, of such an expansion in a sample; empty for other fields. Local.
    pub fn coefficients(&self, number: usize, sample: u64) -> Vec<f64> {
        let noise = self.noise(number, sample);
        match &self.fields[number].kind {
            Kind::Matern(matern) => {
                let count = matern.deviations().map_or(0, <[f64]>::len);
                (0..count as u64).map(|k| noise.normal(k)).collect()
            }
            Kind::Spectral(spectral) if spectral.deviations().is_some() => spectral.coefficients(&noise),
            Kind::Spectral(_) => Vec::new(),
            Kind::Expanded(own) => own.numbers.iter().map(|&number| noise.normal(number)).collect(),
        }
    }

    /// For each sample its coefficients of low frequency, field after field, of joint variance 1 for each field: samples
    /// near one another have fields alike. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn signatures(&mut self, samples: &[u64]) -> Result<Vec<Vec<f64>>> {
        let Some(space) = self.fields.first().map(|drawn| drawn.field.space.clone()) else {
            return Ok(vec![Vec::new(); samples.len()]);
        };
        for drawn in &mut self.fields {
            if let Kind::Matern(matern) = &mut drawn.kind {
                matern.prepare_signature()?;
            }
        }
        let comm = &space.mesh.comm;
        let mut flat = Vec::new();
        for &sample in samples {
            for (number, drawn) in self.fields.iter().enumerate() {
                let noise = self.noise(number, sample);
                flat.extend(match &drawn.kind {
                    Kind::Matern(matern) => matern.signature(comm, &noise),
                    // Every rank could give it.
                    Kind::Spectral(spectral) => {
                        let mut values = spectral.signature(&noise);
                        if comm.rank() > 0 {
                            values.fill(0.0);
                        }
                        values
                    }
                    Kind::Expanded(_) => Vec::new(),
                });
            }
        }
        comm.sum_into(&mut flat);
        let width = flat.len() / samples.len().max(1);
        Ok(flat.chunks(width.max(1)).map(<[f64]>::to_vec).collect())
    }

    /// The fields by name, as inputs of problems. Local.
    pub fn inputs(&self) -> Vec<(String, Rc<NodalField>)> {
        self.fields.iter().map(|drawn| (drawn.name.clone(), drawn.field.clone())).collect()
    }

    /// The field of that number, in the deck's order. Local.
    pub fn field(&self, number: usize) -> &Rc<NodalField> {
        &self.fields[number].field
    }
}
