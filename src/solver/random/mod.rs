//! Gaussian random fields on the vertices of the mesh. A draw depends on seed, name and number of the sample, and on the
//! canonical order of the mesh, but not on ranks.
mod matern;
mod noise;
mod spectral;

use crate::Result;
use crate::deck::{Deck, RandomField};
use crate::fem::Space;
use crate::mesh::Mesh;
use crate::physics::coefficient::NodalField;
use matern::Matern;
use noise::Noise;
use spectral::Spectral;
use std::rc::Rc;

/// The random fields of a deck, at one draw.
pub struct RandomFields {
    fields: Vec<Drawn>,
    sample: Option<u64>,
}

struct Drawn {
    name: String,
    seed: u64,
    kind: Kind,
    field: Rc<NodalField>,
}

enum Kind {
    Matern(Box<Matern>),
    Spectral(Spectral),
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
                let (seed, kind) = match section {
                    RandomField::Matern(m) => (m.seed, Kind::Matern(Box::new(Matern::new(&space, name, m)?))),
                    RandomField::Spectral(s) => (s.seed, Kind::Spectral(Spectral::new(&space, deck, s))),
                };
                let field = Rc::new(NodalField::new(space.clone()));
                fields.push(Drawn { name: name.clone(), seed, kind, field });
            }
        }
        let mut result = Self { fields, sample: None };
        result.draw(0)?;
        Ok(result)
    }

    /// Draws the sample of that number, unless it is there. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn draw(&mut self, sample: u64) -> Result<()> {
        if self.sample == Some(sample) {
            return Ok(());
        }
        for Drawn { name, seed, kind, field } in &mut self.fields {
            let noise = Noise::new(*seed, name, sample);
            let space = &field.space;
            let mut vector = space.field()?;
            match kind {
                Kind::Matern(matern) => matern.draw(space, &noise, &mut vector)?,
                Kind::Spectral(spectral) => spectral.draw(&noise, &mut vector.write()?),
            }
            vector.ghost_update()?;
            field.values.borrow_mut().copy_from_slice(&vector.local_read()?);
        }
        self.sample = Some(sample);
        Ok(())
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
