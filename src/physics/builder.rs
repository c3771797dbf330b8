//! Problems from programs, without a deck.
use super::build::on_space;
use super::problem::Problem;
use crate::Result;
use crate::deck::{Physics, PhysicsBuilder, Plane};
use crate::fem::Space;
use std::rc::Rc;
use tessera_kernels::model::Model;

impl Problem {
    /// Begins a problem of a model on a space: what it is given follows by the keys of decks, and
    /// [`build`](PhysicsBuilder::build) makes it.
    ///
    /// ```no_run
    /// # use std::rc::Rc;
    /// # use tessera::fem::Space;
    /// # use tessera::physics::{Problem, diffusion};
    /// # fn problem(space: &Rc<Space>) -> tessera::Result<Problem> {
    /// Problem::builder(&diffusion::MODEL, space)
    ///     .input("conductivity", "1 + x^2")
    ///     .value("left", 0.0)
    ///     .flux("right", 1.0)
    ///     .build()
    /// # }
    /// ```
    pub fn builder(model: &'static Model, space: &Rc<Space>) -> PhysicsBuilder<Rc<Space>> {
        let said = Physics::builder(model).degree(space.element.degree);
        let said = if space.axisymmetric { said.plane(Plane::Axisymmetric) } else { said };
        said.on(space.clone())
    }
}

impl PhysicsBuilder<Rc<Space>> {
    /// Makes the problem, a steady one unless it was said to be in time. Collective.
    ///
    /// # Errors
    /// [`Error::Input`](crate::Error::Input) with every slip: keys that the model does not have, values that it cannot
    /// have, formulas that are none, markers that the mesh does not have, a space of another number of components.
    pub fn build(self) -> Result<Problem> {
        let (deck, space) = self.finish()?;
        let (mesh, physics) = (&space.mesh, &deck.physics[0]);
        let name = physics.name();
        let (found, expected) = (space.components, physics.components(mesh.dimension));
        if found != expected {
            let message = format!("it has {expected} unknowns at a node, the space {found}");
            return Err(deck.fault(&format!("physics.{name}"), message));
        }
        let around = physics.plane() == Some(Plane::Axisymmetric);
        if around != space.axisymmetric || physics.degree() != space.element.degree {
            let message = "degree and axis of the space are not those of the problem";
            return Err(deck.fault(&format!("physics.{name}"), message));
        }
        deck.validate_dimension(mesh.dimension)?;
        mesh.comm.agree(deck.validate_markers(&mesh.region_names, &mesh.facets.names, &mesh.source))?;
        on_space(&deck, 0, space.clone(), &[])
    }
}
