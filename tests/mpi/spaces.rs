//! Nodes are numbered once for a mesh and a degree, whoever has unknowns on them.

use crate::common::Suite;
use std::rc::Rc;
use tessera::fem::{Pattern, Space};
use tessera::mesh::{BoxSource, CellType, Mesh, PartitionOptions};
use tessera::parallel::Comm;

fn mesh(comm: &Comm, cell: CellType, periodic: bool) -> Rc<Mesh> {
    let cells = [4, 3, 5];
    let unit = BoxSource::unit(cell, &cells[..cell.dimension()]);
    let source = BoxSource { periodic: [periodic, false, false], ..unit }.into();
    Rc::new(Mesh::build(comm, &source, &PartitionOptions::default()).unwrap())
}

fn spaces_of_a_degree_share_nodes_and_sparsity(comm: &Comm) {
    for (cell, periodic) in CellType::ALL.into_iter().flat_map(|cell| [(cell, false), (cell, true)]) {
        let mesh = mesh(comm, cell, periodic);
        for degree in [1, 2] {
            let heat = Space::new(mesh.clone(), degree, 1).unwrap();
            let body = Space::new(mesh.clone(), degree, mesh.dimension).unwrap();
            let other = Space::new(mesh.clone(), 3 - degree, 1).unwrap();
            assert!(Rc::ptr_eq(&heat.nodes, &body.nodes) && !Rc::ptr_eq(&heat.nodes, &other.nodes));
            let pattern = Pattern::of(&heat).unwrap();
            assert!(Rc::ptr_eq(&pattern, &Pattern::of(&body).unwrap()));
            assert!(!Rc::ptr_eq(&pattern, &Pattern::of(&other).unwrap()));
            assert_eq!(body.global_dofs(), heat.global_dofs() * mesh.dimension as u64);

            // Numbers do not depend on who asked first.
            let numbers = |space: &Space| {
                let plan = space.canonical();
                let block = plan.to_canonical(&space.coordinates[..space.owned_nodes * mesh.dimension], mesh.dimension);
                (space.node_ids.clone(), space.cell_nodes.clone(), space.ghosts.clone(), plan.total(), block)
            };
            let again = self::mesh(comm, cell, periodic);
            let alone = Space::new(again, degree, 1).unwrap();
            assert!(!Rc::ptr_eq(&alone.nodes, &heat.nodes));
            assert!(numbers(&alone) == numbers(&body) && numbers(&body) == numbers(&heat));
        }
    }
}

fn nodes_go_with_their_last_space(comm: &Comm) {
    let mesh = mesh(comm, CellType::Triangle, false);
    let space = Space::new(mesh.clone(), 2, 1).unwrap();
    let nodes = Rc::downgrade(&space.nodes);
    drop(space);
    assert!(nodes.upgrade().is_none());
    assert_eq!(Rc::strong_count(&mesh), 1);
}

fn vertices_of_two_degrees_meet(comm: &Comm) {
    for (cell, periodic) in CellType::ALL.into_iter().flat_map(|cell| [(cell, false), (cell, true)]) {
        let mesh = mesh(comm, cell, periodic);
        let [linear, quadratic] = [1, 2].map(|degree| Space::new(mesh.clone(), degree, 1).unwrap());
        let there = quadratic.at_vertices(&linear);
        let mut met = 0;
        for (node, &other) in there.iter().enumerate() {
            assert_eq!(other != u32::MAX, quadratic.is_vertex(node));
            if other != u32::MAX {
                assert_eq!(quadratic.node_ids[node], linear.node_ids[other as usize]);
                let owned = (other as usize) < linear.owned_nodes;
                assert_eq!(node < quadratic.owned_nodes, owned);
                met += u64::from(owned);
            }
        }
        assert_eq!(comm.sum(met), linear.global_nodes);
    }
}

pub const SUITES: &[Suite] = &[Suite {
    ranks: &[1, 2, 3, 4],
    tests: &[
        ("spaces_of_a_degree_share_nodes_and_sparsity", spaces_of_a_degree_share_nodes_and_sparsity),
        ("nodes_go_with_their_last_space", nodes_go_with_their_last_space),
        ("vertices_of_two_degrees_meet", vertices_of_two_degrees_meet),
    ],
}];
