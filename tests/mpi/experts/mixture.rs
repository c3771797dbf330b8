//! The mixture: its parts and what it blends, its space, projections on it.
use super::dense;
use super::setup::*;
use faer::linalg::solvers::Solve;
use petsc_rs::Vector;
use std::rc::Rc;
use tessera::deck::{ConstraintLevel, Norm};
use tessera::experts::{CoarseModes, Constraint, Equations, Gating};
use tessera::mixture::{Columns, Mixture};
use tessera::parallel::Comm;
use tessera::simulation::System;

const CELLS: [(&str, &[usize]); 3] =
    [("triangle", &[9, 7]), ("quadrilateral", &[6, 5]), ("tetrahedron", &[4, 3, 3])];

pub fn parts_blend_to_the_field(comm: &Comm) {
    for (cell, cells) in CELLS {
        for (degree, layers) in [(1, 1), (1, 3), (2, 2)] {
            let (simulation, _) = simulation(comm, &block(cell, cells, degree, 5, "direct"));
            let space = &simulation.stages[0].problem.space;
            let c = space.components;
            let field = prediction(space, &space.field().unwrap(), 1.0);
            for gating in
                [Gating::new(space, layers).unwrap(), boxes(space, 2, layers), Gating::whole(space)]
            {
                let mixture = Mixture::new(space.clone(), Rc::new(gating), None);
                let gating = &mixture.gating;
                let parts = mixture.restrict(&field).unwrap();
                assert_eq!(parts.len(), gating.experts.len());
                for (place, part) in parts.iter().enumerate() {
                    assert_eq!(part.len(), gating.support(place).len() * c);
                }
                let mut blended = space.field().unwrap();
                mixture.blend(&parts, &mut blended).unwrap();
                assert!(difference(&blended, &field) < 1e-15);
            }
        }
    }
}

/// Experts that disagree: the blended field, ghosts too, is the same as on one rank, to the last bit.
pub fn blending_does_not_depend_on_ranks(comm: &Comm) {
    let alone = Comm::new(mpi::topology::SimpleCommunicator::self_comm());
    let run = |comm: &Comm| {
        let (simulation, _) = simulation(comm, &block("triangle", &[11, 8], 1, 4, "direct"));
        let space = simulation.stages[0].problem.space.clone();
        let mixture = Mixture::new(space.clone(), Rc::new(boxes(&space, 3, 2)), None);
        let field = prediction(&space, &space.field().unwrap(), 1.0);
        let mut parts = mixture.restrict(&field).unwrap();
        for (k, part) in mixture.gating.experts.clone().zip(&mut parts) {
            part.iter_mut().for_each(|v| *v *= f64::from(k + 1).sqrt());
        }
        let mut blended = space.field().unwrap();
        mixture.blend(&parts, &mut blended).unwrap();
        let values = blended.local_read().unwrap().to_vec();
        (space, values)
    };
    let (space, values) = run(comm);
    let (whole, reference) = run(&alone);
    let mut place = vec![0; whole.owned_nodes];
    (0..whole.owned_nodes).for_each(|node| place[whole.node_ids[node] as usize] = node);
    for node in 0..space.local_nodes() {
        let there = place[space.node_ids[node] as usize];
        assert_eq!(values[node * 2..][..2], reference[there * 2..][..2]);
    }
}

pub fn space_holds_its_functions(comm: &Comm) {
    for (cell, cells) in CELLS {
        let (simulation, _) = simulation(comm, &block(cell, cells, 1, 6, "direct"));
        let space = &simulation.stages[0].problem.space;
        let c = space.components;
        let all = vec![true; space.owned_dofs()];
        let gating = Rc::new(Gating::new(space, 2).unwrap());
        // Constants times ones are constants.
        let mixture = Mixture::new(space.clone(), gating.clone(), Some(CoarseModes::Constants));
        let x = mixture.space(&all).unwrap();
        assert_eq!(x.global_size(), (space.global_dofs() as usize, gating.global_experts as usize * c));
        let (mut ones, mut field) = x.vectors().unwrap();
        ones.set(1.0).unwrap();
        x.mult(&ones, &mut field).unwrap();
        assert!(field.read().unwrap().iter().all(|v| (v - 1.0).abs() < 1e-14));
        // With one expert the space is the columns themselves; with several their parts sum to them.
        let mut columns = Columns::new(comm, space.owned_dofs());
        for scale in [1.0, -3.0] {
            columns.push(&prediction(space, &space.field().unwrap(), scale).read().unwrap());
        }
        for gating in [Rc::new(Gating::whole(space)), gating] {
            let mixture = Mixture { columns: columns.clone(), ..Mixture::new(space.clone(), gating, None) };
            assert_eq!(mixture.functions(), 2);
            let x = mixture.space(&all).unwrap();
            let (mut factors, mut field) = x.vectors().unwrap();
            factors.write().unwrap().iter_mut().enumerate().for_each(|(i, v)| *v = [0.5, 2.0][i % 2]);
            x.mult(&factors, &mut field).unwrap();
            let mut expected = vec![0.0; space.owned_dofs()];
            columns.add_to(&[0.5, 2.0], &mut expected);
            for (value, expected) in field.read().unwrap().iter().zip(&expected) {
                assert!((value - expected).abs() < 1e-13, "{value} {expected}");
            }
        }
    }
}

/// A field of the space, by factors that depend on the function's number.
fn member(x: &petsc_rs::Matrix) -> Vector {
    let (mut w, mut field) = x.vectors().unwrap();
    let first = x.column_range().start;
    w.write().unwrap().iter_mut().enumerate().for_each(|(i, v)| *v = ((first + i) as f64).cos());
    x.mult(&w, &mut field).unwrap();
    field
}

pub fn projections_find_what_is_in_the_space(comm: &Comm) {
    for deck in [heat("triangle", &[14, 9], 1, 7, "direct"), block("tetrahedron", &[4, 4, 3], 1, 5, "direct")] {
        let (simulation, _) = simulation(comm, &deck);
        let stage = &simulation.stages[0];
        let space = &stage.problem.space;
        let free: Vec<bool> = stage.assembled().essential.fixed[..space.owned_dofs()].iter().map(|f| !f).collect();
        let modes = Some(CoarseModes::of(&stage.problem));
        let mut mixture = Mixture::new(space.clone(), Rc::new(Gating::new(space, 1).unwrap()), modes);
        mixture.columns.push(&prediction(space, &space.field().unwrap(), 1.0).read().unwrap());
        let mut weights = space.field().unwrap();
        let first = weights.range().start;
        let values = |(i, v): (usize, &mut f64)| *v = 1.5 + ((first + i) as f64).sin();
        weights.write().unwrap().iter_mut().enumerate().for_each(values);
        for projection in [
            mixture.galerkin("galerkin_", stage.assembled().matrix, &free),
            mixture.least_squares("squares_", stage.assembled().matrix, &free, None),
            mixture.least_squares("weighted_", stage.assembled().matrix, &free, Some(&weights)),
        ] {
            let mut projection = projection.unwrap();
            let field = member(&projection.x);
            let (mut load, mut found) = (field.duplicate().unwrap(), field.duplicate().unwrap());
            stage.assembled().matrix.mult(&field, &mut load).unwrap();
            projection.field(&load, &mut found).unwrap();
            assert!(difference(&found, &field) < 1e-9, "{}", difference(&found, &field));
            // Nothing is left of the residual, and nothing of the field.
            let scale = size(&load);
            projection.project_residual(&mut load, &mut found).unwrap();
            assert!(size(&load) < 1e-9 * scale);
        }
        let mut galerkin = mixture.galerkin("galerkin_", stage.assembled().matrix, &free).unwrap();
        let mut field = member(&galerkin.x);
        let scale = size(&field);
        galerkin.project(&mut field).unwrap();
        assert!(size(&field) < 1e-9 * scale);
    }
}

/// Against the normal equations, solved densely.
pub fn least_squares_solve_the_normal_equations(comm: &Comm) {
    let (simulation, _) = simulation(comm, &heat("triangle", &[7, 6], 1, 4, "direct"));
    let stage = &simulation.stages[0];
    let space = &stage.problem.space;
    let free: Vec<bool> = stage.assembled().essential.fixed[..space.owned_dofs()].iter().map(|f| !f).collect();
    let mixture = Mixture::new(space.clone(), Rc::new(boxes(space, 2, 2)), Some(CoarseModes::Constants));
    let mut weights = space.field().unwrap();
    for (node, v) in weights.write().unwrap().iter_mut().enumerate() {
        *v = 1.0 + space.point(node)[0];
    }
    let mut projection = mixture.least_squares("normal_", stage.assembled().matrix, &free, Some(&weights)).unwrap();
    let mut found = space.field().unwrap();
    projection.field(stage.assembled().load, &mut found).unwrap();
    let all = |v: &Vector| comm.all_gather_varied(&v.read().unwrap());
    let (x, k) = (dense(comm, &projection.x), dense(comm, stage.assembled().matrix));
    let (w, f) = (all(&weights), all(stage.assembled().load));
    let kx = &k * &x;
    let scaled = faer::Mat::from_fn(kx.nrows(), kx.ncols(), |i, j| w[i] * kx[(i, j)]);
    let right = scaled.transpose() * faer::Mat::from_fn(f.len(), 1, |i, _| f[i]);
    let field = &x * (scaled.transpose() * &kx).partial_piv_lu().solve(&right);
    let size = field.norm_l2();
    let error = all(&found).iter().enumerate().map(|(i, v)| (v - field[(i, 0)]).powi(2)).sum::<f64>().sqrt();
    assert!(error < 1e-10 * size, "{error:.1e} of {size:.1e}");
}

/// The constraint layer keeps what it can, and sees that a matrix is another one although it is the same object.
pub fn another_matrix_is_noticed(comm: &Comm) {
    for (level, weight) in [
        (ConstraintLevel::Conservation, Norm::Energy),
        (ConstraintLevel::Conservation, Norm::Mass),
        (ConstraintLevel::Conservation, Norm::Euclidean),
        (ConstraintLevel::Exact, Norm::Energy),
    ] {
        let (mut simulation, _) = simulation(comm, &heat("triangle", &[12, 10], 1, 6, "direct"));
        let stage = &mut simulation.stages[0];
        let space = stage.problem.space.clone();
        let from = prediction(&space, &space.field().unwrap(), 10.0);
        let gating = Rc::new(Gating::new(&space, 1).unwrap());
        let options = options(level, weight, CoarseModes::Constants);
        let new = || Constraint::new("heat", space.clone(), gating.clone(), options);
        let mut layer = new();
        let mut states: Vec<Vector> = Vec::new();
        for step in 0..3 {
            if step == 2 {
                // Stiffer on one half: another matrix with the rows and columns of essential unknowns as they are.
                let mut scale = space.field().unwrap();
                for (node, v) in scale.write().unwrap().iter_mut().enumerate() {
                    let stiffer = !stage.assembled().essential.fixed[node] && space.point(node)[1] > 0.5;
                    *v = if stiffer { 1.5 } else { 1.0 };
                }
                stage.workplace().matrix.diagonal_scale(Some(&scale), Some(&scale)).unwrap();
            }
            let System { matrix, load, essential } = stage.assembled();
            let equations = Equations::linear(matrix, load, essential);
            let mut state = from.try_clone().unwrap();
            let report = layer.apply(&equations, &mut state).unwrap();
            let mut fresh = from.try_clone().unwrap();
            let expected = new().apply(&equations, &mut fresh).unwrap();
            assert!(difference(&state, &fresh) < 1e-12, "{level:?} {weight:?}, step {step}");
            // Others refine as far as round-off lets them.
            if level == ConstraintLevel::Exact {
                assert_eq!(report.iterations, expected.iterations, "{level:?} {weight:?}, step {step}");
            }
            states.push(state);
        }
        assert!(difference(&states[1], &states[0]) < 1e-13);
        assert!(difference(&states[2], &states[0]) > 1e-4);
    }
}
