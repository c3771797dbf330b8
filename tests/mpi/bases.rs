//! Bases of campaigns in time and of nonlinear problems, global ones and those of experts: their errors are what the
//! singular values say, and they are the same on any number of ranks.
use crate::common::decks::{deck_in, quiet};
use crate::common::{Suite, with_folder};
use std::path::Path;
use std::rc::Rc;
use tessera::deck::Deck;
use tessera::drivers::predict::{self, PredictOptions};
use tessera::drivers::{campaign, check, info, train};
use tessera::fem::Space;
use tessera::mesh::{Experts, Mesh, MeshSource, PartitionOptions};
use tessera::mixture::bases::{Bases, experts, read_columns};
use tessera::mixture::{Algorithm, Columns, Form, Gating, InnerProduct, MatrixProduct, Mixture, Truncation};
use tessera::parallel::{Comm, Redistribution};
use tessera::physics::mass::scalar_mass;
use tessera::report::Level;
use tessera::rom::{PodOptions, Trajectories, pod_bases};
use tessera::storage::{DatasetFile, File, ModelFile, Reader, write_xdmf};

/// A front that stands; both ends are held, at values that move with the parameter on the left.
const BURGERS: &str = "title = \"Front\"\n[mesh]\nbox = { cell = \"interval\", cells = [60] }\n\
    [parameters]\nnu = { default = 0.02, range = [0.01, 0.1] }\n\
    [[physics]]\nmodel = \"burgers\"\nfield = \"u\"\nunit = \"m/s\"\nviscosity = \"nu\"\n\
    boundary = [{ marker = \"left\", value = \"nu\" }, { marker = \"right\", value = 0 }]\n\
    [[initial]]\nvalue = \"sin(2*pi*x)\"\n[partition]\nexperts = 6\noverlap = 2\n\
    [time]\nend = 0.3\nstep = 0.01\n[output]\nframes = 3\nxdmf = false\n[solver]\nmethod = \"direct\"\n\
    [campaign]\ndesign = \"list\"\ntable = [[0.01], [0.014], [0.02], [0.03], [0.05], [0.1]]\nframes = \"steps\"\n\
    [rom]\ntolerance = 1e-6\nmodes = 40\n";

/// A nonlinear problem in two dimensions, of which frames are kept.
const POROUS: &str = "title = \"Seepage\"\n[mesh]\nbox = { cell = \"quadrilateral\", cells = [12, 12] }\n\
    [parameters]\na = { default = 1, range = [0.5, 2] }\nb = { default = 1, range = [0.5, 2] }\n\
    [[physics]]\nmodel = \"porous_medium\"\nfield = \"u\"\nexponent = 2\n\
    boundary = [{ marker = \"left\", value = 1 }, { marker = \"right\", value = \"0.2*a\" }]\n\
    [[initial]]\nvalue = \"1 - 0.8*x + 0.3*b*x*(1-x)*sin(3*y)\"\n[partition]\nexperts = 5\n\
    [time]\nend = 0.2\nstep = 0.02\n[output]\nframes = 4\nxdmf = false\n[solver]\nmethod = \"direct\"\n\
    [campaign]\ndesign = \"halton\"\nsamples = 10\n[rom]\ntolerance = 1e-7\nmodes = 60\n";

/// A space on the mesh of a file.
fn space(comm: &Comm, path: &Path, experts: Option<u32>) -> Space {
    let source = MeshSource::File { path: path.into(), scale: 1.0 };
    let options = PartitionOptions { experts: experts.map_or(Experts::Ranks, Experts::Number), ..Default::default() };
    Space::new(Rc::new(Mesh::build(comm, &source, &options).unwrap()), 1, 1).unwrap()
}

fn mass(space: &Space) -> MatrixProduct {
    MatrixProduct::with(scalar_mass(space).unwrap(), Form::Components(space.components)).unwrap()
}

/// All steps of samples of a dataset that are done.
fn snapshots(comm: &Comm, path: &Path, space: &Space) -> Vec<Vec<f64>> {
    let (file, plan) = (DatasetFile::open(comm, path, false).unwrap(), space.canonical());
    let mut list = Vec::new();
    for sample in file.done().unwrap() {
        for step in 0..file.times(sample).unwrap().len().max(1) {
            list.push(file.read_field((sample, step), "u", &plan).unwrap());
        }
    }
    file.close().unwrap();
    list
}

/// A snapshot without the lifting, zero on essential unknowns.
fn free(bases: &Bases, snapshot: &[f64]) -> Vec<f64> {
    let lifted = snapshot.iter().zip(&bases.lifting);
    lifted.zip(&bases.essential).map(|((v, mean), fixed)| if *fixed { 0.0 } else { v - mean }).collect()
}

/// Squares of the errors of projections on the first `modes` global modes, added up, and of the snapshots.
fn projected(comm: &Comm, bases: &Bases, list: &[Vec<f64>], product: &dyn InnerProduct, modes: usize) -> [f64; 2] {
    let mut basis = bases.global.modes.clone();
    basis.truncate(modes);
    let mut sums = [0.0; 2];
    for snapshot in list {
        let mut v = free(bases, snapshot);
        sums[1] += product.norm(comm, &v).unwrap().powi(2);
        let w = basis.coefficients(&product.image(&v).unwrap());
        basis.subtract_from(&w, &mut v);
        sums[0] += product.norm(comm, &v).unwrap().powi(2);
    }
    sums
}

/// The error of the blend of the experts' own projections, as [`projected`].
fn blended(comm: &Comm, bases: &Bases, list: &[Vec<f64>], space: &Rc<Space>, gating: &Rc<Gating>) -> [f64; 2] {
    let (matrix, product) = (scalar_mass(space).unwrap(), mass(space));
    let local = tessera::mixture::LocalProduct::of_experts(gating, space, &matrix).unwrap();
    let mixture = Mixture::new(space.clone(), gating.clone(), None);
    let (mut field, mut sums) = (space.field().unwrap(), [0.0; 2]);
    for snapshot in list {
        let v = free(bases, snapshot);
        field.write().unwrap().copy_from_slice(&v);
        let parts = mixture.restrict(&field).unwrap();
        let fitted: Vec<Vec<f64>> = (parts.iter().zip(&local).zip(&bases.local))
            .map(|((part, product), pod)| {
                let w = pod.modes.coefficients(&product.image(part).unwrap());
                let mut fit = vec![0.0; part.len()];
                pod.modes.add_to(&w, &mut fit);
                fit
            })
            .collect();
        mixture.blend(&fitted, &mut field).unwrap();
        let error: Vec<f64> = field.read().unwrap().iter().zip(&v).map(|(a, b)| a - b).collect();
        sums[0] += product.norm(comm, &error).unwrap().powi(2);
        sums[1] += product.norm(comm, &v).unwrap().powi(2);
    }
    sums
}

/// A space, experts and bases of the file that training left in a folder.
fn trained(comm: &Comm, folder: &Path, deck: &Deck) -> (Rc<Space>, Rc<Gating>, Bases) {
    train::run(comm, deck, &[], &quiet()).unwrap();
    comm.barrier();
    let path = folder.join("model.h5");
    let space = Rc::new(space(comm, &path, deck.partition.experts));
    let file = ModelFile::open(comm, &path).unwrap();
    let gating = Rc::new(experts(&file, &space).unwrap().unwrap());
    let bases = Bases::read(&file, ("u", None), &space, Some(&gating)).unwrap();
    file.close().unwrap();
    (space, gating, bases)
}

/// Errors of the training snapshots are the singular values left out, those of other samples are about as small, and
/// both fall with the modes; experts blend to the fields.
fn errors_are_those_of_the_singular_values(comm: &Comm) {
    for (text, held_out) in [(BURGERS, "campaign.table=[[0.012], [0.04], [0.08]]"), (POROUS, "campaign.seed=5")] {
        with_folder(comm, |folder| {
            let deck = deck_in(folder, text, &[]);
            campaign::run(comm, &deck, &quiet()).unwrap();
            let other = deck_in(folder, text, &[held_out, "campaign.file=other.h5"]);
            campaign::run(comm, &other, &quiet()).unwrap();
            let (space, gating, bases) = trained(comm, folder, &deck);
            assert!(bases.essential.iter().zip(&bases.lifting).all(|(_, v)| v.is_finite()));
            let fixed = comm.sum(bases.essential.iter().filter(|&&fixed| fixed).count() as u64);
            assert_eq!(fixed, if text == BURGERS { 2 } else { 26 });
            let product = mass(&space);
            let list = snapshots(comm, &folder.join("dataset.h5"), &space);
            let unseen = snapshots(comm, &folder.join("other.h5"), &space);
            let (values, count) = (&bases.global.singular_values, bases.global.modes.count());
            let total: f64 = projected(comm, &bases, &list, &product, 0)[1];
            assert!((values.iter().map(|s| s * s).sum::<f64>() / total - 1.0).abs() < 1e-7);
            let mut before = f64::INFINITY;
            for modes in 0..=count {
                let [error, _] = projected(comm, &bases, &list, &product, modes);
                let left: f64 = values.iter().skip(modes).map(|s| s * s).sum();
                assert!((error - left).abs() < 1e-2 * left + 1e-9 * total, "{modes}: {error:e} {left:e}");
                let [new, all] = projected(comm, &bases, &unseen, &product, modes);
                // Where nothing is left to train on, unseen samples are what matters.
                assert!(new / all < 30.0 * (left / total) + 1e-5, "{modes}: {:e} {:e}", new / all, left / total);
                assert!(error <= before * (1.0 + 1e-9));
                before = error;
            }
            assert!(before / total <= deck.rom.tolerance && count > 2, "{count} {:e}", before / total);
            // Experts that overlap at a place add up there: three at most here.
            let [error, _] = blended(comm, &bases, &list, &space, &gating);
            let energy: f64 = bases.local.iter().flat_map(|pod| &pod.singular_values).map(|s| s * s).sum();
            assert!(error <= 4.0 * deck.rom.tolerance * comm.sum(energy) , "{error:e} {total:e}");
            let [error, all] = blended(comm, &bases, &unseen, &space, &gating);
            assert!(error < 3e-5 * all, "{:e}", error / all);
            for pod in &bases.local {
                assert!(pod.modes.count() < count + 4, "{} {count}", pod.modes.count());
            }
        });
    }
}

/// The steps of a made-up field, each a combination of four known functions on the nodes.
struct MadeUp {
    space: Rc<Space>,
    /// Values of each function by sample and step.
    weights: fn(usize, usize) -> [f64; 4],
    steps: usize,
    samples: usize,
}

fn function(k: usize, x: [f64; 3]) -> f64 {
    use std::f64::consts::PI;
    (PI * (k + 1) as f64 * x[0]).sin() * (1.0 + 0.3 * k as f64 * x[1])
}

impl Trajectories for MadeUp {
    fn count(&self) -> usize {
        self.samples
    }

    fn times(&self, _: usize) -> tessera::Result<Vec<f64>> {
        Ok((0..self.steps).map(|step| (step * step) as f64 * 0.1).collect())
    }

    fn read(&self, sample: usize, step: usize, _: &str, _: &Redistribution) -> tessera::Result<Vec<f64>> {
        let w = (self.weights)(sample, step);
        let value = |node| (0..4).map(|k| w[k] * function(k, self.space.point(node))).sum();
        Ok((0..self.space.owned_nodes).map(value).collect())
    }
}

fn weights(sample: usize, step: usize) -> [f64; 4] {
    let (s, t) = (sample as f64, step as f64);
    [(s + 1.0) * (0.3 * t).cos(), 0.5 * (s * t).sin(), 0.1 * (1.3 * s - t).cos(), 0.02 * (s + 2.0 * t).sin()]
}

/// Experts that are stripes, whatever the ranks.
fn stripes(space: &Space) -> Gating {
    let mesh = &space.mesh;
    let middle = |cell: usize| {
        let vertices = mesh.cell_vertices(cell);
        vertices.iter().map(|&v| mesh.point(v as usize)[0]).sum::<f64>() / vertices.len() as f64
    };
    let cells: Vec<u32> = (0..mesh.local_cells()).map(|cell| (5.0 * middle(cell)) as u32).collect();
    let size = mesh.comm.size();
    let ends: Vec<u32> = (0..size).map(|rank| (5 * (rank + 1) / size) as u32).collect();
    Gating::with_experts(space, 2, &cells, &ends).unwrap()
}

fn made_up(comm: &Comm, cells: &str) -> Rc<Space> {
    let text = format!("[mesh]\nbox = {{ {cells} }}\n[[physics]]\nmodel = \"diffusion\"\n\
         boundary = [{{ marker = \"left\", value = 0 }}]\n");
    Rc::new(Space::new(crate::common::decks::simulation(comm, &text).mesh.clone(), 1, 1).unwrap())
}

fn how(windows: Option<usize>) -> PodOptions {
    let truncation = Truncation { modes: 10, tolerance: 1e-11 };
    PodOptions { algorithm: Algorithm::Snapshots, truncation, windows }
}

/// With the same experts the same bases on any number of ranks, read on all of them from a file of any.
fn the_same_on_any_number_of_ranks(comm: &Comm) {
    for cells in ["cell = \"triangle\", cells = [20, 6]", "cell = \"quadrilateral\", cells = [20, 6], periodic = [\"y\"]"]
    {
        for windows in [None, Some(2)] {
            let (window, group) = (windows.map(|_| 1), if windows.is_some() { "/bases/u/window_1" } else { "/bases/u" });
            with_folder(comm, |folder| {
                let write = |comm: &Comm, name: &str| {
                    let space = made_up(comm, cells);
                    let source = MadeUp { space: space.clone(), weights, steps: 9, samples: 7 };
                    let fixed: Vec<bool> =
                        (0..space.owned_nodes).map(|node| space.point(node)[0] < 1e-9).collect();
                    let gating = stripes(&space);
                    let bases = pod_bases("u", &space, fixed, Some(&gating), (&source, 1), how(windows)).unwrap();
                    let file = ModelFile::create(comm, &folder.join(name), &Default::default()).unwrap();
                    space.mesh.write(&file).unwrap();
                    let about = tessera::storage::Field::nodes("u", "K", 1, 1, &space.canonical());
                    bases.write(&file, &about, &space, Some(&gating)).unwrap();
                    file.finish().unwrap();
                    // Read again, it is the same.
                    comm.barrier();
                    let file = File::open(comm, &folder.join(name)).unwrap();
                    let again = Bases::read(&file, ("u", window), &space, Some(&gating)).unwrap();
                    file.close().unwrap();
                    assert_eq!(again.lifting, bases.lifting);
                    assert_eq!((&again.times, &again.essential), (&bases.times, &bases.essential));
                    let same = |a: &Columns, b: &Columns| a.iter().eq(b.iter()) && a.count() == b.count();
                    assert!(same(&again.global.modes, &bases.global.modes));
                    assert_eq!(again.local.len(), gating.experts.len());
                    for (a, b) in again.local.iter().zip(&bases.local) {
                        assert!(same(&a.modes, &b.modes) && a.modes.count() > 1);
                    }
                };
                write(comm, "all.h5");
                let one = comm.split(comm.rank());
                write(&one, &format!("one-{}.h5", comm.rank()));
                comm.barrier();
                let [all, one] = ["all.h5", "one-0.h5"].map(|name| Reader::open(&folder.join(name)).unwrap());
                for path in ["start", "nodes", "count"] {
                    let path = format!("{group}/experts/{path}");
                    assert_eq!(all.array::<u64>(&path).unwrap(), one.array::<u64>(&path).unwrap(), "{path}");
                }
                let paths = ["lifting", "modes", "singular_values", "experts/modes"];
                for (path, tolerance) in paths.into_iter().zip([1e-13, 1e-7, 1e-7, 1e-6]) {
                    let path = format!("{group}/{path}");
                    let ((shape, a), (other, b)) =
                        (all.array::<f64>(&path).unwrap(), one.array::<f64>(&path).unwrap());
                    let most = a.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
                    // How many there are above the floor of the method of snapshots is a matter of round-off.
                    assert!(shape == other || path.ends_with("singular_values"), "{path}");
                    let apart = a.iter().zip(&b).fold(0.0, |m: f64, (a, b)| m.max((a - b).abs()));
                    assert!(apart < tolerance * most, "{path}: {apart:e} of {most:e}");
                }
                // A fifth function would be round-off.
                let modes = all.shape(&format!("{group}/modes")).unwrap();
                let nodes = all.shape("/mesh/geometry").unwrap()[0];
                // Samples less their mean, and the moments of four of the eight steps with that before them.
                assert_eq!(modes, if windows.is_some() { vec![7 - 1, 5, nodes, 1] } else { vec![4, nodes, 1] });
                let start = all.array::<u64>(&format!("{group}/experts/start")).unwrap().1;
                let nodes = all.array::<u64>(&format!("{group}/experts/nodes")).unwrap().1;
                for expert in start.windows(2) {
                    assert!(nodes[expert[0] as usize..expert[1] as usize].is_sorted());
                }
                comm.barrier();
            });
        }
    }
}

/// Modes in space and time span the samples over their windows, orthonormal over space and time.
fn space_and_time(comm: &Comm) {
    for windows in [1, 4] {
        with_folder(comm, |folder| {
            let number = format!("rom.windows={windows}");
            let deck = deck_in(folder, BURGERS, &[&number, "rom.tolerance=1e-9"]);
            campaign::run(comm, &deck, &quiet()).unwrap();
            train::run(comm, &deck, &[], &quiet()).unwrap();
            comm.barrier();
            let path = folder.join("model.h5");
            let space = space(comm, &path, deck.partition.experts);
            let list = snapshots(comm, &folder.join("dataset.h5"), &space);
            let file = ModelFile::open(comm, &path).unwrap();
            assert_eq!(Bases::windows(&file, "u"), windows);
            let read = |window| Bases::read(&file, ("u", window), &space, None);
            let mut end = 0.0;
            for window in 0..windows {
                let bases = read(Some(window)).unwrap();
                // Thirty steps in four windows are 8, 8, 7 and 7; windows begin where the one before ends.
                let first = [0, 8, 16, 23][window];
                let steps = if windows == 1 { 31 } else { [9, 9, 8, 8][window] };
                assert_eq!((bases.times.len(), bases.window), (steps, Some(window)));
                assert!((bases.times[0] - end).abs() < 1e-12 && (end - 0.01 * first as f64).abs() < 1e-12);
                end = bases.times[steps - 1];
                expect_best(comm, &bases, &space, list.chunks(31).map(|sample| sample[first..first + steps].concat()));
            }
            let error = read(None).err().unwrap().to_string();
            assert!(error.contains(&format!("are over {windows} windows of steps")), "{error}");
            file.close().unwrap();
            write_xdmf(comm, &path).unwrap();
            comm.barrier();
            let xdmf = std::fs::read_to_string(path.with_extension("xdmf")).unwrap();
            assert!(xdmf.contains(&format!("model.h5:/bases/u/window_{}/modes", windows - 1)), "{xdmf}");
            let text = info::describe(&Reader::open(&path).unwrap(), false).unwrap();
            assert!(text.contains(&format!("u, window {}", windows - 1)), "{text}");
            comm.barrier();
        });
    }
}

/// Whether modes in space and time are orthonormal and leave out of these samples what they may.
fn expect_best(comm: &Comm, bases: &Bases, space: &Space, samples: impl Iterator<Item = Vec<f64>>) {
    let (steps, each, product) = (bases.times.len(), space.owned_nodes, mass(space));
    // The trapezoidal rule, written out.
    let weight = |step: usize| {
        let t = &bases.times;
        (t[(step + 1).min(steps - 1)] - t[step.saturating_sub(1)]) / 2.0
    };
    let inner = |x: &[f64], y: &[f64]| -> f64 {
        let one = |step: usize| {
            let image = product.image(&y[step * each..][..each]).unwrap();
            let own = x[step * each..][..each].iter().zip(&image).map(|(a, b)| a * b);
            weight(step) * comm.sum(own.sum::<f64>())
        };
        (0..steps).map(one).sum()
    };
    let modes = &bases.global.modes;
    assert_eq!(modes.rows(), steps * each);
    assert!(modes.count() >= 3, "{}", modes.count());
    for i in 0..modes.count() {
        for j in 0..=i {
            let expected = f64::from(u8::from(i == j));
            assert!((inner(modes.column(i), modes.column(j)) - expected).abs() < 1e-10);
        }
    }
    let (mut left, mut total) = (0.0, 0.0);
    for sample in samples {
        let mut v: Vec<f64> = sample.iter().zip(&bases.lifting).map(|(v, mean)| v - mean).collect();
        v.iter_mut().zip(bases.essential.iter().cycle()).filter(|(_, f)| **f).for_each(|(v, _)| *v = 0.0);
        total += inner(&v, &v);
        for mode in modes.iter() {
            let w = inner(&v, mode);
            v.iter_mut().zip(mode).for_each(|(v, m)| *v -= w * m);
        }
        left += inner(&v, &v);
    }
    let energy: f64 = bases.global.singular_values.iter().map(|s| s * s).sum();
    assert!((energy / total - 1.0).abs() < 1e-8 && left <= 1.0001e-9 * total, "{left:e} {total:e}");
}

/// A window in which nothing happens has no modes, and is there.
fn still_windows(comm: &Comm) {
    with_folder(comm, |folder| {
        let space = made_up(comm, "cell = \"triangle\", cells = [20, 6]");
        let later = |sample, step| if step < 5 { [1.0, 0.0, 0.0, 0.0] } else { weights(sample, step) };
        let source = MadeUp { space: space.clone(), weights: later, steps: 9, samples: 7 };
        let gating = stripes(&space);
        let file = File::create(comm, &folder.join("bases.h5")).unwrap();
        for (window, modes) in [0, 6].into_iter().enumerate() {
            let fixed = vec![false; space.owned_nodes];
            let bases = pod_bases("u", &space, fixed, Some(&gating), (&source, window), how(Some(2))).unwrap();
            let about = tessera::storage::Field::nodes("u", "K", 1, 1, &space.canonical());
            bases.write(&file, &about, &space, Some(&gating)).unwrap();
            let again = Bases::read(&file, ("u", Some(window)), &space, Some(&gating)).unwrap();
            assert_eq!((again.global.modes.count(), again.steps()), (modes, 5));
            assert!(again.local.iter().all(|pod| pod.modes.count() == 0) || window == 1);
        }
        let error = pod_bases("u", &space, vec![], None, (&source, 0), how(Some(9))).err().unwrap().to_string();
        assert!(error.contains("9 windows of 8 steps"), "{error}");
        file.close().unwrap();
    });
}

/// Experts of a file are found again on any ranks; those of another partition are refused.
fn experts_come_with_the_file(comm: &Comm) {
    with_folder(comm, |folder| {
        let deck = deck_in(folder, POROUS, &["campaign.samples=4"]);
        campaign::run(comm, &deck, &quiet()).unwrap();
        let (_, gating, _) = trained(comm, folder, &deck);
        let path = folder.join("model.h5");
        // Each rank alone, as another job on one rank would.
        let one = comm.split(comm.rank());
        let alone = space(&one, &path, None);
        let file = ModelFile::open(&one, &path).unwrap();
        let theirs = experts(&file, &alone).unwrap().unwrap();
        assert_eq!((theirs.global_experts, theirs.layers), (gating.global_experts, gating.layers));
        let bases = Bases::read(&file, ("u", None), &alone, Some(&theirs)).unwrap();
        assert_eq!(bases.local.len(), theirs.global_experts as usize);
        let whole = Gating::whole(&alone);
        let error = Bases::read(&file, ("u", None), &alone, Some(&whole)).err().unwrap().to_string();
        assert!(error.contains("is of other experts than those of this partition"), "{error}");
        let error = Bases::read(&file, ("w", None), &alone, None).err().unwrap().to_string();
        assert!(error.contains("there are no bases of \"w\" (there: u)"), "{error}");
        let vector = alone.with_components(2).unwrap();
        let error = Bases::read(&file, ("u", None), &vector, None).err().unwrap().to_string();
        assert!(error.contains("does not fit 169 nodes and 2 components"), "{error}");
        file.close().unwrap();
        // Who asks the file what it is, and other programs.
        let options = PredictOptions { run: quiet(), ..PredictOptions::default() };
        let error = predict::run(comm, &path, &options).unwrap_err().to_string();
        assert!(error.contains("it holds bases and no model that predicts"), "{error}");
        let text = info::describe(&Reader::open(&path).unwrap(), false).unwrap();
        assert!(text.contains("bases of fields"), "{text}");
        write_xdmf(comm, &path).unwrap();
        comm.barrier();
        let xdmf = std::fs::read_to_string(path.with_extension("xdmf")).unwrap();
        assert!(xdmf.contains("model.h5:/bases/u/modes"), "{xdmf}");
        let options = check::CheckOptions { level: Level::Quiet, convergence: None };
        check::run(comm, &deck, &options).unwrap();
    });
}

/// A steady problem that is not linear, of two unknowns and a pressure on nodes of degree 2, by both algorithms.
fn steady_flow(comm: &Comm) {
    const FLOW: &str = "title = \"Cavity\"\n[mesh]\nbox = { cell = \"quadrilateral\", cells = [6, 6] }\n\
        [parameters]\nnu = { default = 0.02, range = [0.01, 0.1] }\n\
        [[physics]]\nmodel = \"navier_stokes\"\ndegree = 2\nviscosity = \"nu\"\n\
        boundary = [{ marker = \"top\", value = [1, 0] }, { marker = [\"left\", \"right\", \"bottom\"], value = [0, 0] }, \
        { point = [0, 0], value = [\"free\", \"free\", 0] }]\n\
        [partition]\nexperts = 4\n[output]\nfields = [\"velocity\", \"vorticity\"]\nxdmf = false\n[solver]\nmethod = \"direct\"\n\
        [campaign]\ndesign = \"list\"\ntable = [[0.01], [0.02], [0.04], [0.07], [0.1]]\n[rom]\ntolerance = 1e-10\n";
    with_folder(comm, |folder| {
        campaign::run(comm, &deck_in(folder, FLOW, &[]), &quiet()).unwrap();
        for (file, algorithm) in [("model.h5", "snapshots"), ("tsqr.h5", "tsqr")] {
            let algorithm = format!("rom.algorithm=\"{algorithm}\"");
            let deck = deck_in(folder, FLOW, &[&format!("rom.file={file}"), &algorithm]);
            train::run(comm, &deck, &[], &quiet()).unwrap();
        }
        comm.barrier();
        let [gram, qr] = ["model.h5", "tsqr.h5"].map(|name| Reader::open(&folder.join(name)).unwrap());
        assert_eq!(gram.members("/bases"), ["velocity", "vorticity"]);
        for (field, components) in [("velocity", 3), ("vorticity", 1)] {
            let path = format!("/bases/{field}/modes");
            let (shape, modes) = gram.array::<f64>(&path).unwrap();
            assert_eq!(shape[1..], [169, components], "{field}");
            let (other, same) = qr.array::<f64>(&path).unwrap();
            assert_eq!(shape, other);
            let apart = modes.iter().zip(&same).fold(0.0, |m: f64, (a, b)| m.max((a - b).abs()));
            assert!(apart < 1e-5, "{field}: {apart:e}");
            assert_eq!(gram.shape(&format!("/bases/{field}/experts/count")).unwrap(), [4]);
        }
        let fixed = gram.array::<u8>("/bases/velocity/essential").unwrap().1;
        // Two components at 48 nodes of the rim, and at least one value that holds the pressure.
        assert!(fixed.iter().map(|&f| usize::from(f)).sum::<usize>() >= 96);
        assert_eq!(gram.array::<u8>("/bases/vorticity/essential").unwrap().1, vec![0; 169]);
        comm.barrier();
    });
}

/// What cannot be trained on is named.
fn refusals(comm: &Comm) {
    with_folder(comm, |folder| {
        let adaptive = deck_in(folder, BURGERS, &["time.tolerance=1e-3", "campaign.steps=100", "rom.windows=2"]);
        campaign::run(comm, &adaptive, &quiet()).unwrap();
        let error = train::run(comm, &adaptive, &[], &quiet()).unwrap_err().to_string();
        assert!(error.contains("rom.windows") && error.contains("the same times in all samples"), "{error}");
        // In space they do.
        let space = deck_in(folder, BURGERS, &["time.tolerance=1e-3", "campaign.steps=100"]);
        train::run(comm, &space, &[], &quiet()).unwrap();
        let still = deck_in(folder, BURGERS, &["campaign.frames=\"last\"", "campaign.table=[[0.02]]", "campaign.file=s.h5"]);
        campaign::run(comm, &still, &quiet()).unwrap();
        let error = train::run(comm, &still, &[], &quiet()).unwrap_err().to_string();
        assert!(error.contains("no field varies over samples and steps"), "{error}");
        let other = deck_in(folder, BURGERS, &["time.end=0.2", "campaign.file=s.h5"]);
        let error = train::run(comm, &other, &[], &quiet()).unwrap_err().to_string();
        assert!(error.contains("time.end"), "{error}");
    });
}

/// A file with an array as a user would write it.
fn user_file(comm: &Comm, path: &Path, shape: &[u64], value: impl Fn(usize) -> f64) {
    let file = File::create(comm, path).unwrap();
    let values: Vec<f64> = (0..shape.iter().product::<u64>() as usize).map(value).collect();
    file.write_array("/mine/phi", shape, &values).unwrap();
    file.close().unwrap();
    comm.barrier();
}

/// Columns that a user brings are restricted to the experts; bad ones are named.
fn columns_of_a_file(comm: &Comm) {
    with_folder(comm, |folder| {
        let space = made_up(comm, "cell = \"triangle\", cells = [20, 6]");
        let (gating, n) = (stripes(&space), 21 * 7);
        let path = folder.join("user.h5");
        let x = |i: usize| (i % 21) as f64 / 20.0;
        let fixed: Vec<bool> = (0..space.owned_nodes).map(|node| space.point(node)[0] < 1e-9).collect();
        let read = |place: &str| read_columns(&path, place, &space, &fixed, &gating);
        user_file(comm, &path, &[3, n, 1], |k| x(k % n as usize).powi((k / n as usize) as i32));
        let found = read("/mine/phi").unwrap();
        assert_eq!(found.len(), gating.experts.len());
        let points = gating.restrict(
            comm,
            &(0..space.owned_nodes).map(|node| space.point(node)[0]).collect::<Vec<_>>(),
            1,
        );
        for (columns, points) in found.iter().zip(&points) {
            assert_eq!((columns.count(), columns.rows()), (3, points.len()));
            for (k, column) in columns.iter().enumerate() {
                for (value, x) in column.iter().zip(points) {
                    let expected = if *x < 1e-9 { 0.0 } else { x.powi(k as i32) };
                    assert!((value - expected).abs() < 1e-12, "{k} {x}");
                }
            }
        }
        let refuse = |shape: &[u64], value: &dyn Fn(usize) -> f64, words: &str| {
            user_file(comm, &path, shape, value);
            let error = read_columns(&path, "/mine/phi", &space, &fixed, &gating).err().unwrap().to_string();
            assert!(error.contains(words) && error.contains("user.h5"), "{error}");
        };
        let nodes = n as usize;
        refuse(&[3, n + 1, 1], &|_| 1.0, "expected [columns, 147 nodes, 1 components]");
        refuse(&[3, n], &|_| 1.0, "has the shape [3, 147]");
        refuse(&[2, n, 1], &|k| if k == nodes + 5 { f64::NAN } else { 1.0 }, "column 1 holds a number that is not finite");
        refuse(&[2, n, 1], &|k| if k < nodes && k % 21 > 0 { 0.0 } else { 1.0 }, "column 0 vanishes");
        refuse(&[2, n, 1], &|k| if k < nodes { x(k) } else { 3.0 * x(k - nodes) }, "column 1 depends on those before it");
        refuse(&[1, n, 1], &|k| f64::from(u8::from(k % 21 > 10)), "every column vanishes on expert 0");
        let error = read("/mine/psi").err().unwrap().to_string();
        assert!(error.contains("there is no /mine/psi"), "{error}");
        // In our own layout, of each expert.
        let source = MadeUp { space: space.clone(), weights, steps: 9, samples: 7 };
        let bases = pod_bases("u", &space, fixed.clone(), Some(&gating), (&source, 0), how(None)).unwrap();
        let file = File::create(comm, &folder.join("user.h5")).unwrap();
        let about = tessera::storage::Field::nodes("u", "K", 1, 1, &space.canonical());
        bases.write(&file, &about, &space, Some(&gating)).unwrap();
        file.close().unwrap();
        comm.barrier();
        let found = read("/bases/u/experts").unwrap();
        for (mine, pod) in found.iter().zip(&bases.local) {
            assert!(mine.count() == pod.modes.count() && mine.iter().eq(pod.modes.iter()));
        }
    });
}

pub const SUITES: &[Suite] = &[Suite {
    ranks: &[1, 2, 3, 4],
    tests: &[
        ("errors_are_those_of_the_singular_values", errors_are_those_of_the_singular_values),
        ("the_same_on_any_number_of_ranks", the_same_on_any_number_of_ranks),
        ("space_and_time", space_and_time),
        ("still_windows", still_windows),
        ("experts_come_with_the_file", experts_come_with_the_file),
        ("steady_flow", steady_flow),
        ("refusals", refusals),
        ("columns_of_a_file", columns_of_a_file),
    ],
}];
