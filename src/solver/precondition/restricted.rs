//! The restricted Schwarz method of the experts, with optimised conditions at their interfaces or without.
//!
//! Every expert solves its own problem on its widened subdomain, and each unknown takes its value from the one expert that
//! owns it: `M^-1 = sum_k P_k^T K_k^-1 R_k` (X.-C. Cai, M. Sarkis, *A restricted additive Schwarz preconditioner for general
//! sparse linear systems*, SIAM J. Sci. Comput. 21 (1999) 792-797). It is not symmetric, whatever the matrix is, so it
//! belongs into GMRES, from the right.
//!
//! In the classical method `K_k` holds the unknowns inside, with zero on the rim. In the optimised one (A. St-Cyr, M. J.
//! Gander, S. J. Thomas, *Optimized multiplicative, additive, and restricted additive Schwarz preconditioning*, SIAM J. Sci.
//! Comput. 29 (2007) 2402-2425) it is assembled from the subdomain's own cells, the rim included, and a condition there
//! that stands for what lies behind, see [`transmission`](crate::physics::Prepared::transmission). What the subdomain's
//! part of the matrix has from cells outside is taken away again, and the condition added: both touch the rim alone.
use crate::deck::{InterfaceKind, SolverMethod, SolverOptions};
use crate::fem::{Restriction, Space};
use crate::mixture::{Part, Subdomains};
use crate::physics::interface::{Side, Sides, measures};
use crate::physics::{FormState, Prepared, Problem};
use crate::{Error, Result};
use petsc_rs::{Preconditioner, SchwarzType};
use std::cell::RefCell;
use std::rc::Rc;

/// One level of a restricted Schwarz method for the tangents of a problem.
pub struct RestrictedSchwarz {
    problem: Rc<Problem>,
    subdomains: Rc<Subdomains>,
    rim: Option<Rim>,
}

/// What the optimised method does at the rims.
struct Rim {
    /// Factor of the conditions' own parameter.
    factor: f64,
    /// Owned cells next to subdomains, ascending, and places where the experts of each begin.
    beside: Vec<u32>,
    start: Vec<u32>,
    experts: Vec<u32>,
    /// The facets of the rims that are seen from owned cells, and the expert of each.
    sides: Sides,
    of_side: Vec<(u32, Side)>,
    /// What is to be added to the matrices of this rank's experts; nothing before the first tangent.
    changes: Rc<RefCell<Option<Vec<Changes>>>>,
}

/// Dense blocks to be added to a matrix.
#[derive(Default)]
struct Changes {
    /// Unknowns of all blocks, by their places in the subdomain; negative ones are left out.
    unknowns: Vec<i32>,
    sizes: Vec<usize>,
    values: Vec<f64>,
}

/// Waves in space with more unknowns than this are solved by this method unless the deck says otherwise: measured in
/// `docs/theory/experts.md`.
const WAVES: u64 = 10_000;

impl RestrictedSchwarz {
    /// Whether it is quicker than a factorisation for a problem that it suits, which the deck tells.
    pub fn pays(problem: &Problem) -> bool {
        let space = &problem.space;
        space.mesh.dimension == 3 && space.global_dofs() > WAVES && space.mesh.global_experts > 1
    }

    /// What a deck's options ask for with so many layers of overlap, if it is this method: linear symmetric equations have
    /// the [two-level](super::Schwarz) one unless the interface says otherwise, flows none. Collective.
    ///
    /// # Errors
    /// As [`RestrictedSchwarz::new`].
    pub fn of(problem: &Rc<Problem>, layers: u32, options: &SolverOptions) -> Result<Option<Self>> {
        let facts = problem.facts();
        if options.method != SolverMethod::Schwarz || facts.pressure {
            return Ok(None);
        }
        let knows = problem.equation.law.interface.is_some();
        let robin = match options.interface {
            Some(kind) => kind == InterfaceKind::Robin,
            None => !facts.symmetric && knows,
        };
        if problem.is_linear_system() && !robin {
            return Ok(None);
        }
        Self::new(problem, layers, robin.then_some(options.robin)).map(Some)
    }

    /// For the experts of the mesh with so many layers of overlap: with the problem's own conditions at the interfaces,
    /// times a factor, or with values from the neighbours alone. Collective.
    ///
    /// # Errors
    /// When `layers` is 0, or the model has no such conditions.
    pub fn new(problem: &Rc<Problem>, layers: u32, robin: Option<f64>) -> Result<Self> {
        let measures = measures(&problem.space);
        let subdomains = Subdomains::new(&problem.space, layers, &measures)?;
        Self::with_subdomains(problem, subdomains, robin, &measures)
    }

    /// The same for subdomains of the caller's choice and the [measures] of the cells. Collective.
    ///
    /// # Errors
    /// When the model has no such conditions.
    pub fn with_subdomains(
        problem: &Rc<Problem>,
        subdomains: Subdomains,
        robin: Option<f64>,
        measures: &[f64],
    ) -> Result<Self> {
        let mut rim = None;
        if let Some(factor) = robin {
            problem.interface()?;
            rim = Some(Rim::new(&problem.space, &subdomains, factor, measures));
        }
        Ok(Self { problem: problem.clone(), subdomains: Rc::new(subdomains), rim })
    }

    /// Makes it the preconditioner, of PETSc's type "asm". Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn attach(&self, preconditioner: &mut Preconditioner) -> Result<()> {
        let (subdomains, c) = (&self.subdomains, self.problem.space.components);
        let part = if self.rim.is_some() { Part::Closed } else { Part::Open };
        let sets = [part, Part::Own].map(|part| subdomains.index_sets(part, c));
        let [all, own] = sets;
        preconditioner.set_type("asm")?;
        preconditioner.asm_set_subdomains(&all?, Some(&own?))?;
        preconditioner.asm_set_type(SchwarzType::Restricted)?;
        let Some(rim) = &self.rim else { return Ok(()) };
        let changes = rim.changes.clone();
        Ok(preconditioner.set_modify_submatrices(move |matrices| {
            let changes = changes.borrow();
            let Some(changes) = &*changes else {
                return Err(petsc_rs::Error::user("the conditions at the interfaces are not known yet"));
            };
            for (matrix, changes) in matrices.iter_mut().zip(changes) {
                changes.blocks().try_for_each(|(list, block)| matrix.add_block(list, list, block))?;
                matrix.assemble()?;
            }
            Ok(())
        })?)
    }

    /// Takes the conditions of a tangent, which the next set-up of the preconditioner uses. Collective.
    ///
    /// # Errors
    /// When the coefficients cannot be evaluated.
    pub fn update(&self, prepared: &Prepared, at: FormState) -> Result<()> {
        let Some(rim) = &self.rim else { return Ok(()) };
        let (space, subdomains) = (&self.problem.space, &*self.subdomains);
        let mut post = Post::new(space, subdomains);
        let cells = Restriction::Cells { list: &rim.beside, weights: &[] };
        prepared.visit(at, cells, Some(&prepared.essential), true, |integral| {
            integral.visit(true, |element, weight| {
                for &expert in rim.experts_beside(element.entity.0) {
                    post.send(expert, element.nodes, element.matrix, -weight);
                }
            });
        });
        prepared.transmission(at, &rim.sides, (subdomains.layers, rim.factor), |place, matrix| {
            let (expert, side) = rim.of_side[place];
            post.send(expert, space.nodes_of(side.cell as usize), matrix, 1.0);
        })?;
        *rim.changes.borrow_mut() = Some(post.arrive()?);
        Ok(())
    }

    /// The same for a linear problem. Collective.
    ///
    /// # Errors
    /// As [`RestrictedSchwarz::update`], and for coefficients that no material can have.
    pub fn update_linear(&self, context: &crate::physics::Context) -> Result<()> {
        if self.rim.is_none() {
            return Ok(());
        }
        let space = &self.problem.space;
        let state = vec![0.0; space.local_nodes() * space.components];
        self.update(&self.problem.at(context)?, FormState::steady(&state))
    }
}

impl Rim {
    fn new(space: &Space, subdomains: &Subdomains, factor: f64, measures: &[f64]) -> Self {
        let mesh = &space.mesh;
        let (neighbours, facets) = (mesh.neighbours(), mesh.cell_type.facets());
        let (mut beside, mut start, mut experts) = (Vec::new(), vec![0], Vec::new());
        let mut of_side = Vec::new();
        let (mut here, mut there) = (Vec::new(), Vec::new());
        for cell in 0..mesh.owned_cells {
            subdomains.of_cell(space.nodes_of(cell), &mut here);
            experts.extend(here.iter().filter(|(_, inside)| !inside).map(|entry| entry.0));
            if experts.len() > start[beside.len()] as usize {
                beside.push(cell as u32);
                start.push(experts.len() as u32);
            }
            for (facet, &other) in neighbours[cell * facets..][..facets].iter().enumerate() {
                if other == u32::MAX {
                    continue;
                }
                subdomains.of_cell(space.nodes_of(other as usize), &mut there);
                for &(expert, _) in here.iter().filter(|entry| entry.1) {
                    if !there.contains(&(expert, true)) {
                        let (cell, facet, width) = (cell as u32, facet as u8, subdomains.width(expert));
                        of_side.push((expert, Side { cell, facet, width }));
                    }
                }
            }
        }
        let sides = Sides::new(space, measures, of_side.iter().map(|side| side.1).collect());
        Self { factor, beside, start, experts, sides, of_side, changes: Rc::default() }
    }

    /// The experts whose subdomains have nodes of an owned cell but not the cell.
    fn experts_beside(&self, cell: u32) -> &[u32] {
        let place = self.beside.partition_point(|&other| other < cell);
        &self.experts[self.start[place] as usize..self.start[place + 1] as usize]
    }
}

/// Blocks on their way to the ranks of the experts.
struct Post<'a> {
    space: &'a Space,
    subdomains: &'a Subdomains,
    /// By rank: expert, number of nodes, their PETSc numbers.
    heads: Vec<Vec<i32>>,
    values: Vec<Vec<f64>>,
}

impl<'a> Post<'a> {
    fn new(space: &'a Space, subdomains: &'a Subdomains) -> Self {
        let ranks = space.mesh.comm.size();
        Self { space, subdomains, heads: vec![Vec::new(); ranks], values: vec![Vec::new(); ranks] }
    }

    /// The rows and columns of an element matrix that belong to an expert's subdomain.
    fn send(&mut self, expert: u32, nodes: &[u32], matrix: &[f64], factor: f64) {
        let (c, n) = (self.space.components, nodes.len());
        let rank = self.subdomains.rank_of(expert);
        let (head, values) = (&mut self.heads[rank], &mut self.values[rank]);
        let inside: Vec<usize> = (0..n).filter(|&a| self.subdomains.has(expert, nodes[a])).collect();
        head.extend([expert as i32, inside.len() as i32]);
        head.extend(inside.iter().map(|&a| self.space.number(nodes[a])));
        let unknowns = || inside.iter().flat_map(|&a| (0..c).map(move |i| a * c + i));
        for row in unknowns() {
            values.extend(unknowns().map(|column| factor * matrix[row * n * c + column]));
        }
    }

    /// What arrives for this rank's experts. Collective.
    ///
    /// # Errors
    /// When a node is not where it belongs.
    fn arrive(self) -> Result<Vec<Changes>> {
        let (subdomains, c, comm) = (self.subdomains, self.space.components, &self.space.mesh.comm);
        let mut changes: Vec<Changes> = subdomains.experts.clone().map(|_| Changes::default()).collect();
        let mut lost = false;
        for (head, values) in comm.exchange(&self.heads).iter().zip(comm.exchange(&self.values)) {
            let (mut head, mut values) = (&head[..], &values[..]);
            while let [expert, count, rest @ ..] = head {
                let (nodes, rest) = rest.split_at(*count as usize);
                let (block, others) = values.split_at((nodes.len() * c).pow(2));
                (head, values) = (rest, others);
                let local = (*expert as u32 - subdomains.experts.start) as usize;
                let to = &mut changes[local];
                for &node in nodes {
                    let place = subdomains.place(local, node);
                    lost |= place.is_none();
                    let first = place.map_or(-1, |place| (place * c) as i32);
                    to.unknowns.extend((0..c as i32).map(|i| if first < 0 { -1 } else { first + i }));
                }
                to.sizes.push(nodes.len() * c);
                to.values.extend_from_slice(block);
            }
        }
        let fault = match lost {
            true => Err(Error::Failed("a subdomain gets the equations of a node that it lacks".into())),
            false => Ok(changes),
        };
        comm.agree(fault)
    }
}

impl Changes {
    /// Unknowns and values of each block.
    fn blocks(&self) -> impl Iterator<Item = (&[i32], &[f64])> {
        let (mut unknowns, mut values) = (&self.unknowns[..], &self.values[..]);
        self.sizes.iter().map(move |&size| {
            let (list, block);
            (list, unknowns) = unknowns.split_at(size);
            (block, values) = values.split_at(size * size);
            (list, block)
        })
    }
}
