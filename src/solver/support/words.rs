//! Pieces and their motions in words.
use super::modes::Modes;
use super::pieces::{Motion, Pieces};
use crate::fem::Domain;
use crate::fem::functional::visit;
use crate::fem::place::{Where, groups};
use crate::physics::Problem;

impl Pieces {
    /// The cells of some pieces and their share of the volume. Collective.
    pub(super) fn describe(&self, problem: &Problem, pieces: &[u32]) -> String {
        let (space, mesh) = (&problem.space, &problem.space.mesh);
        let (mut first, mut last, mut count) = (u64::MAX, 0, 0u64);
        let (mut own, mut all) = (0.0, 0.0);
        let nothing = vec![0.0; space.local_nodes()];
        for (rule, entities) in groups(space, &Where::Everywhere, 1) {
            visit(space, &nothing, &Domain { rule: &rule, entities: &entities }, |sample| {
                all += sample.weight;
                if pieces.contains(&mesh.cell_pieces[sample.cell]) {
                    own += sample.weight;
                    if sample.point == 0 {
                        let id = mesh.cell_ids[sample.cell];
                        (first, last, count) = (first.min(id), last.max(id), count + 1);
                    }
                }
            });
        }
        let comm = &mesh.comm;
        let (first, last, count) = (comm.min(first), comm.max(last), comm.sum(count));
        let share = 100.0 * comm.sum(own) / comm.sum(all);
        let share = if share < 1.0 { format!("{share:.2}") } else { format!("{share:.0}") };
        if last - first + 1 == count {
            format!("cells {first} to {last}, {share} % of the volume")
        } else {
            format!("{count} cells between {first} and {last}, {share} % of the volume")
        }
    }

    /// What may still move, in words. Collective.
    pub(super) fn words(&self, problem: &Problem, motions: &[Motion]) -> String {
        let n = Modes::of(problem).count();
        let one = |Motion { group, coefficients }: &Motion| {
            let moving = coefficients.chunks_exact(n).zip(&self.groups[*group]);
            let moving: Vec<_> = moving.filter(|(own, _)| own.iter().any(|a| a.abs() > 1e-6)).collect();
            let what = moving
                .first()
                .map_or(String::new(), |(own, piece)| self.word(problem, **piece as usize, own));
            let pieces: Vec<u32> = moving.iter().map(|(_, piece)| **piece).collect();
            let who = match pieces.len() < self.frames.len() {
                true => self.describe(problem, &pieces),
                false => "the body".into(),
            };
            (who, what)
        };
        let list: Vec<_> = motions.iter().take(3).map(one).collect();
        let mut text = String::new();
        for (i, (who, what)) in list.iter().enumerate() {
            text += &match i {
                0 => format!("{who} may still {what}"),
                _ if *who == list[i - 1].0 => format!(" and {what}"),
                _ => format!(", {who} {what}"),
            };
        }
        text + if motions.len() > 3 { " and more" } else { "" }
    }

    fn word(&self, problem: &Problem, piece: usize, motion: &[f64]) -> String {
        let d = problem.space.mesh.dimension;
        let (centre, size) = &self.frames[piece];
        let number = |x: f64| {
            let rounded = if x.abs() < 1e-9 * size { 0.0 } else { x };
            format!("{rounded:.4}")
        };
        let direction = |v: &[f64]| {
            let axis = v.iter().position(|a| (a.abs() - 1.0).abs() < 1e-6);
            axis.map_or_else(
                || format!("({})", v.iter().map(|x| format!("{x:.3}")).collect::<Vec<_>>().join(", ")),
                |axis| ["x", "y", "z"][axis].to_string(),
            )
        };
        let unit = |v: &[f64]| {
            let length = v.iter().map(|x| x * x).sum::<f64>().sqrt();
            v.iter().map(|x| x / length).collect::<Vec<f64>>()
        };
        if problem.space.axisymmetric {
            return "move along the axis".into();
        }
        let (shift, turn) = motion.split_at(d);
        if turn.iter().all(|w| w.abs() < 1e-6) {
            return format!("move along {}", direction(&unit(shift)));
        }
        if d == 2 {
            // Where shift and turn cancel.
            let (x, y) = (-shift[1] / turn[0] * size + centre[0], shift[0] / turn[0] * size + centre[1]);
            return format!("turn about ({}, {})", number(x), number(y));
        }
        // Turns in the planes xy, yz, zx are about z, x, y; the axis passes where the shift is along it.
        let w = [turn[1], turn[2], turn[0]];
        let square: f64 = w.iter().map(|w| w * w).sum();
        let cross = |i: usize| {
            let (j, k) = ((i + 1) % 3, (i + 2) % 3);
            (w[j] * shift[k] - w[k] * shift[j]) / square * size + centre[i]
        };
        let through: Vec<String> = (0..3).map(|i| number(cross(i))).collect();
        format!("turn about the axis through ({}) along {}", through.join(", "), direction(&unit(&w)))
    }
}
