//! Files of results, campaigns and models on several rank counts.

use crate::common::{Suite, with_folder};
use std::path::Path;
use tessera::parallel::{Comm, Redistribution};
use tessera::storage::{
    DatasetFile, Field, File, ModelFile, Provenance, ResultFile, Room, Samples, Schema, Status, Value,
};

pub const SUITES: &[Suite] = &[Suite {
    ranks: &[1, 2, 3, 4],
    tests: &[
            ("fields_come_back_from_any_ownership", fields_come_back_from_any_ownership),
            ("data_do_not_show_the_ranks", data_do_not_show_the_ranks),
            (
                "a_failure_leaves_no_file_and_spares_the_old_one",
                a_failure_leaves_no_file_and_spares_the_old_one,
            ),
            ("campaigns_go_on_where_they_stopped", campaigns_go_on_where_they_stopped),
            ("models_hold_bases_and_arrays", models_hold_bases_and_arrays),
            ("mistakes_are_named_on_every_rank", mistakes_are_named_on_every_rank),
        ],
}];

const NODES: u64 = 1003;

/// Strewn ownership: node i belongs to rank `i * stride` modulo the ranks, local order descending.
fn strewn(comm: &Comm, total: u64, stride: u64) -> (Vec<u64>, Redistribution) {
    let (rank, size) = (comm.rank() as u64, comm.size() as u64);
    let ids: Vec<u64> = (0..total).rev().filter(|i| (i * stride / 7) % size == rank).collect();
    let plan = Redistribution::new(comm, &ids, total);
    (ids, plan)
}

fn values(ids: &[u64], step: u64, width: u64) -> Vec<f64> {
    ids.iter().flat_map(|&i| (0..width).map(move |c| ((i * 3 + c) as f64).sin() + step as f64)).collect()
}

fn provenance() -> Provenance {
    Provenance { title: "test".into(), deck: "title = \"test\"\n".into(), ..Provenance::default() }
}

fn samples(count: usize) -> Samples {
    Samples {
        count,
        names: vec!["load".into(), "young".into()],
        units: vec!["Pa".into(), "Pa".into()],
        values: (0..2 * count).map(|i| i as f64).collect(),
    }
}

fn write_run(comm: &Comm, path: &Path) -> tessera::Result<u64> {
    let file = ResultFile::create(comm, path)?;
    file.describe(Schema::Run, &provenance())?;
    file.write_parameters(&samples(1))?;
    let (ids, plan) = strewn(comm, NODES, 5);
    let field = Field::nodes("displacement", "m", 3, 1, &plan)
        .meaning("how far points move")
        .physics("blade")
        .component_names(&["x", "y", "z"]);
    file.save_field(&field, &plan, &values(&ids, 0, 3))?;
    let (ids, plan) = strewn(comm, 400, 3);
    file.save_field(&Field::cells("stress", "Pa", 6, &plan), &plan, &values(&ids, 1, 6))?;
    file.write_quantity("peak", "Pa", "largest stress", &[12.5])?;
    file.write_log("iterations", "1", "iterations", &[], &[3.0, 4.0])?;
    file.write_times(&[0.0])?;
    file.finish()
}

fn fields_come_back_from_any_ownership(comm: &Comm) {
    with_folder(comm, |folder| {
        let path = folder.join("deep/er/run.h5");
        let size = write_run(comm, &path).unwrap();
        assert!(size > NODES * 24);
        let file = File::open(comm, &path).unwrap();
        file.expect(Schema::Run).unwrap();
        assert_eq!(file.fields(), ["displacement", "stress"]);
        // Another ownership than the one that it was written with.
        let (ids, plan) = strewn(comm, NODES, 11);
        assert_eq!(file.read_field("displacement", 0, &plan).unwrap(), values(&ids, 0, 3));
        let (field, steps) = file.field("displacement").unwrap();
        let expected = Field::nodes("displacement", "m", 3, 1, &plan)
            .meaning("how far points move")
            .physics("blade")
            .component_names(&["x", "y", "z"]);
        assert_eq!((field, steps), (expected, 1));
        assert_eq!(file.text("/", "deck").unwrap(), "title = \"test\"\n");
        assert!(file.text("/", "created").unwrap().starts_with("20"));
        assert_eq!(file.parameters().unwrap(), samples(1));
        file.close().unwrap();
    });
}

/// The numbers of a file written by all ranks are those of a file written by one.
fn data_do_not_show_the_ranks(comm: &Comm) {
    with_folder(comm, |folder| {
        write_run(comm, &folder.join("all.h5")).unwrap();
        let alone = Comm::new(
            mpi::traits::Communicator::split_by_color(
                comm.mpi(),
                mpi::topology::Color::with_value(comm.rank() as i32),
            )
            .unwrap(),
        );
        if comm.rank() == 0 {
            write_run(&alone, &folder.join("one.h5")).unwrap();
            let (all, one) = (
                std::fs::read(folder.join("all.h5")).unwrap(),
                std::fs::read(folder.join("one.h5")).unwrap(),
            );
            // The number of ranks and the time of day are the only things that may differ.
            let differing = all.iter().zip(&one).filter(|(a, b)| a != b).count();
            assert!(all.len() == one.len() && differing < 32, "{differing} bytes differ");
        }
        comm.barrier();
    });
}

fn a_failure_leaves_no_file_and_spares_the_old_one(comm: &Comm) {
    with_folder(comm, |folder| {
        let names = |folder: &Path| -> Vec<String> {
            comm.barrier();
            std::fs::read_dir(folder)
                .unwrap()
                .map(|e| e.unwrap().file_name().into_string().unwrap())
                .collect()
        };
        let path = folder.join("run.h5");
        let broken = |path: &Path| -> tessera::Result<u64> {
            let file = ResultFile::create(comm, path)?;
            file.write_quantity("peak", "Pa", "", &[1.0])?;
            // Only the last rank fails; all must hear of it.
            let mine: &[f64] = if comm.rank() + 1 == comm.size() { &[1.0; 5] } else { &[] };
            file.write_rows("/qoi/peak", 0, mine)?;
            file.finish()
        };
        let error = broken(&path).unwrap_err().to_string();
        assert!(error.contains("run.h5: /qoi/peak") && !error.contains("partial"), "{error}");
        assert!(names(folder).is_empty());
        write_run(comm, &path).unwrap();
        assert!(broken(&path).is_err());
        assert_eq!(names(folder), ["run.h5"]);
        let file = File::open(comm, &path).unwrap();
        assert_eq!(file.read_array::<f64>("/qoi/peak").unwrap().1, [12.5]);
        file.close().unwrap();
        comm.barrier();
        // A folder in the way of the final name.
        let blocked = folder.join("blocked");
        if comm.rank() == 0 {
            std::fs::create_dir_all(blocked.join("inside")).unwrap();
        }
        comm.barrier();
        assert!(
            write_run(comm, &blocked).unwrap_err().to_string().contains("blocked: cannot give it this name")
        );
        assert_eq!(names(folder).len(), 2);
    });
}

fn campaigns_go_on_where_they_stopped(comm: &Comm) {
    with_folder(comm, |folder| {
        let path = folder.join("dataset.h5");
        let (ids, plan) = strewn(comm, NODES, 5);
        let field = Field::nodes("temperature", "K", 1, 1, &plan);
        let quantities = [("peak", "K", "largest temperature")];
        let setup = |file: &File| file.write_array("/mesh/shared", &[2], &[1.0, 2.0]);
        let five = samples(5);
        let design = Room { samples: &five, moments: None, single: false };
        let file =
            DatasetFile::create(comm, &path, &provenance(), design, &[field], &quantities, None, setup)
                .unwrap();
        file.write_field((3, 0), "temperature", &plan, &values(&ids, 3, 1)).unwrap();
        file.write_quantity(3, "peak", &[333.0]).unwrap();
        file.finish_sample(3, Status::Done, 7, 0.5).unwrap();
        file.finish_sample(1, Status::Failed, 0, 0.1).unwrap();
        // Sample 0 is stopped in the middle: as after a kill, the file is looked at without being closed.
        file.write_field((0, 0), "temperature", &plan, &values(&ids, 99, 1)).unwrap();
        let copy = folder.join("copy.h5");
        if comm.rank() == 0 {
            std::fs::copy(&path, &copy).unwrap();
        }
        comm.barrier();
        file.close().unwrap();

        let file = DatasetFile::open(comm, &copy, true).unwrap();
        use Status::{Done, Failed, Pending};
        assert_eq!(file.status().unwrap(), [Pending, Failed, Pending, Done, Pending]);
        assert_eq!(file.done().unwrap(), [3]);
        let numbers = [0, 1, 2, 3, 4, 5];
        assert!(file.expect_samples(&samples(5), &numbers[..5]).unwrap());
        assert!(!file.expect_samples(&samples(6), &numbers).unwrap());
        let other = file.expect_samples(&samples(4), &numbers[..4]).unwrap_err();
        assert!(other.exit_code() == 2 && other.to_string().contains("another design"), "{other}");
        file.write_field((0, 0), "temperature", &plan, &values(&ids, 0, 1)).unwrap();
        file.write_quantity(0, "peak", &[300.0]).unwrap();
        file.finish_sample(0, Done, 8, 0.25).unwrap();
        file.close().unwrap();

        let file = DatasetFile::open(comm, &copy, false).unwrap();
        assert_eq!(file.done().unwrap(), [0, 3]);
        for sample in [0, 3] {
            let found = file.read_field((sample, 0), "temperature", &plan).unwrap();
            assert_eq!(found, values(&ids, sample as u64, 1));
        }
        let peaks = file.quantity("peak").unwrap();
        assert!(peaks[0] == 300.0 && peaks[3] == 333.0 && peaks[1].is_nan());
        file.close().unwrap();
    });
}

fn models_hold_bases_and_arrays(comm: &Comm) {
    with_folder(comm, |folder| {
        let path = folder.join("model.h5");
        let (ids, plan) = strewn(comm, NODES, 5);
        let file = ModelFile::create(comm, &path, &provenance()).unwrap();
        file.create_basis(&Field::nodes("u", "m", 2, 2, &plan), 3).unwrap();
        for mode in 0..3 {
            file.write_mode("u", mode, &plan, &values(&ids, mode, 2)).unwrap();
        }
        file.write_array("/reduced/stiffness", &[2, 2], &[1.0, 0.0, 0.0, 1.0]).unwrap();
        // A deck without parameters, a physics without loads: nothing is something too.
        file.write_parameters(&Samples::default()).unwrap();
        file.write_array::<f64>("/reduced/loads", &[0, 3], &[]).unwrap();
        file.set("/reduced/loads", "terms", Vec::<String>::new()).unwrap();
        file.set("/reduced/stiffness", "terms", vec!["a".to_string(), "b".to_string()]).unwrap();
        file.finish().unwrap();
        let file = ModelFile::open(comm, &path).unwrap();
        let (ids, plan) = strewn(comm, NODES, 2);
        assert_eq!(file.read_mode("u", 2, &plan).unwrap(), values(&ids, 2, 2));
        assert_eq!(file.basis("u").unwrap().1, 3);
        assert_eq!(file.bases(), ["u"]);
        assert_eq!(file.parameters().unwrap(), Samples::default());
        assert_eq!(file.read_array::<f64>("/reduced/loads").unwrap(), (vec![0, 3], vec![]));
        assert!(file.texts("/reduced/loads", "terms").unwrap().is_empty());
        assert_eq!(
            file.read_array::<f64>("/reduced/stiffness").unwrap(),
            (vec![2, 2], vec![1.0, 0.0, 0.0, 1.0])
        );
        let terms = file.get("/reduced/stiffness", "terms").unwrap();
        assert_eq!(terms, Some(Value::Texts(vec!["a".into(), "b".into()])));
        file.close().unwrap();
    });
}

fn mistakes_are_named_on_every_rank(comm: &Comm) {
    with_folder(comm, |folder| {
        let path = folder.join("run.h5");
        let open = |name: &str| File::open(comm, &folder.join(name)).map(|_| ()).unwrap_err().to_string();
        assert!(open("missing.h5").contains("missing.h5: cannot open: No such file"));
        if comm.rank() == 0 {
            std::fs::write(folder.join("text.h5"), "no HDF5 at all").unwrap();
        }
        comm.barrier();
        assert!(open("text.h5").contains("not an HDF5 file"));
        write_run(comm, &path).unwrap();
        let error = DatasetFile::open(comm, &path, false).map(|_| ()).unwrap_err();
        assert!(error.exit_code() == 2);
        assert!(
            error.to_string().contains("expected a tessera-dataset file, but it is a tessera-run"),
            "{error}"
        );
        let file = File::open(comm, &path).unwrap();
        let (_, plan) = strewn(comm, NODES, 5);
        let error = |name: &str, step| file.read_field(name, step, &plan).unwrap_err().to_string();
        assert!(error("velocity", 0).contains("no field \"velocity\" (fields: displacement, stress)"));
        assert!(error("displacement", 1).contains("no step 1"));
        assert!(error("stress", 0).contains("[1, 400, 6]"));
        file.close().unwrap();
    });
}
