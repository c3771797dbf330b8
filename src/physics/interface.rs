//! Conditions at artificial boundaries inside the body, behind which other subdomains of a Schwarz method lie.
use super::operator::{FormState, Prepared};
use crate::Result;
use crate::fem::functional::{Sample, cell_entities, visit};
use crate::fem::{Domain, Rule, Space};
use tessera_kernels::model::{Interface, Outside};

/// A facet of an artificial boundary, seen from the cell inside of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Side {
    /// Local cell.
    pub cell: u32,
    /// Number of the facet in it.
    pub facet: u8,
    /// Width of the subdomain without its overlap, m.
    pub width: f64,
}

/// The facets of artificial boundaries by their numbers in the cell, with the rule of each number.
pub struct Sides {
    /// Rules, and the places of their facets in the list that this was made of.
    groups: Vec<(Rule, Vec<u32>)>,
    list: Vec<Side>,
    /// Heights of the cells over the facets, m.
    heights: Vec<f64>,
}

/// Areas or volumes of the local cells, of a plane section on bodies of revolution. Local.
pub fn measures(space: &Space) -> Vec<f64> {
    let mesh = &space.mesh;
    let entities = cell_entities(space, 0..mesh.local_cells());
    let rule = Rule::cells(&space.element, 2 * (mesh.dimension - 1).max(1));
    let mut measures = vec![0.0; mesh.local_cells()];
    let nothing = vec![0.0; space.local_nodes()];
    let add = |sample: &Sample| measures[sample.cell] += sample.plane_weight;
    visit(space, &nothing, &Domain { rule: &rule, entities: &entities }, add);
    measures
}

impl Sides {
    /// Facets with the [measures] of the local cells. Local.
    pub fn new(space: &Space, measures: &[f64], list: Vec<Side>) -> Self {
        let mesh = &space.mesh;
        // Of a prism, or of a pyramid.
        let share = if mesh.cell_type.is_simplex() { mesh.dimension as f64 } else { 1.0 };
        let mut sides = Self { groups: Vec::new(), heights: vec![0.0; list.len()], list };
        for number in 0..mesh.cell_type.facets() {
            let of_number = |place: &u32| sides.list[*place as usize].facet as usize == number;
            let places: Vec<u32> = (0..sides.list.len() as u32).filter(of_number).collect();
            if !places.is_empty() {
                sides.groups.push((Rule::facet(&space.element, number, 2 * space.element.degree), places));
            }
        }
        let mut areas = vec![0.0; sides.list.len()];
        let nothing = vec![0.0; space.local_nodes()];
        sides.visit(space, &nothing, |place, sample, _| areas[place] += sample.plane_weight);
        for ((height, area), side) in sides.heights.iter_mut().zip(areas).zip(&sides.list) {
            *height = share * measures[side.cell as usize] / area;
        }
        sides
    }

    /// Calls `visit` at every quadrature point with the facet's place in the list and the number of points of its rule.
    fn visit(&self, space: &Space, state: &[f64], mut at: impl FnMut(usize, &Sample, usize)) {
        for (rule, places) in &self.groups {
            let entities = self.entities(space, places);
            visit(space, state, &Domain { rule, entities: &entities }, |sample| {
                at(sample.entity.0 as usize, sample, rule.weights.len());
            });
        }
    }

    /// As a domain has them, by their places in the list.
    fn entities(&self, space: &Space, places: &[u32]) -> Vec<(u32, u32, u16)> {
        let entity = |&place: &u32| {
            let cell = self.list[place as usize].cell;
            (cell, place, space.mesh.cell_regions[cell as usize])
        };
        places.iter().map(entity).collect()
    }
}

/// The best wave number `p` along the interface for Robin conditions of subdomains of width `H` that overlap by `L`:
/// `2^(-1/3) (pi / H)^(2/3) L^(-1/3)`, 1/m (M. J. Gander, *Optimized Schwarz methods*, SIAM J. Numer. Anal. 44 (2006) 699-731,
/// section 4.2).
pub fn best_wave_number(width: f64, overlap: f64) -> f64 {
    (0.5 * (std::f64::consts::PI / width).powi(2) / overlap).cbrt()
}

impl Prepared {
    /// Calls `visit` with the matrix that the condition of each side adds to that of its subdomain, `[row, column]` of
    /// the unknowns of its cell, rows and columns of prescribed ones left out, and the side's place in the list. `layers`
    /// is how far a subdomain reaches beyond its own cells, `factor` is that of the condition's own parameter. Local.
    ///
    /// # Errors
    /// When the model has no such condition.
    pub fn transmission(
        &self,
        at: FormState,
        sides: &Sides,
        (layers, factor): (u32, f64),
        mut visit: impl FnMut(usize, &[f64]),
    ) -> Result<()> {
        let problem = self.problem();
        let (space, c) = (&problem.space, problem.space.components);
        let condition = problem.interface()?;
        problem.set_own(at.state);
        let fixed = &self.essential.fixed;
        let n = space.element.functions();
        let (mut t, mut matrix) = (vec![0.0; c * c], vec![0.0; (n * c).pow(2)]);
        let rate = if at.parts.residual == 0.0 { 0.0 } else { at.parts.storage / at.parts.residual };
        for (rule, places) in &sides.groups {
            let entities = sides.entities(space, places);
            let domain = Domain { rule, entities: &entities };
            let coefficients = problem.on_facets(self.context(), &domain);
            let points = rule.weights.len();
            crate::fem::functional::visit(space, at.state, &domain, |sample| {
                let place = sample.entity.0 as usize;
                if sample.point == 0 {
                    matrix.fill(0.0);
                }
                let (index, region) = (place, sample.entity.1 as usize);
                let k = |output: usize| coefficients[output].at(index, region, sample.point, points);
                let overlap = 2.0 * f64::from(layers) * sides.heights[place];
                let outside = Outside { wave: best_wave_number(sides.list[place].width, overlap), rate };
                condition(&problem.local(&k, sample, &[0.0; 6]), &sample.normal, &outside, &mut t);
                let weight = factor * at.parts.residual * sample.weight;
                let (shapes, nodes) = (sample.shapes(space), space.nodes_of(sample.cell));
                let free = |a: usize, i: usize| !fixed[nodes[a] as usize * c + i];
                // Functions of other facets vanish here.
                for a in (0..n).filter(|&a| shapes[a] != 0.0) {
                    for b in (0..n).filter(|&b| shapes[b] != 0.0) {
                        for i in (0..c).filter(|&i| free(a, i)) {
                            for j in (0..c).filter(|&j| free(b, j)) {
                                let entry = &mut matrix[(a * c + i) * n * c + b * c + j];
                                *entry += weight * shapes[a] * shapes[b] * t[i * c + j];
                            }
                        }
                    }
                }
                if sample.point + 1 == points {
                    visit(place, &matrix);
                }
            });
        }
        Ok(())
    }
}

impl super::Problem {
    /// What stands at artificial boundaries for what lies behind them.
    ///
    /// # Errors
    /// When the model does not say.
    pub fn interface(&self) -> Result<Interface> {
        self.equation.law.interface.ok_or_else(|| {
            let message = format!(
                "{}: the model {} has no condition at the interfaces of subdomains: choose interface = \"overlap\"",
                self.name, self.equation.model.name
            );
            crate::Error::Failed(message)
        })
    }
}
