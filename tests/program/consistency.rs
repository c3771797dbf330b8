//! Linear fields are reproduced on irregular meshes, and files do not show how many ranks and experts
//! made them.
use mpi_harness::mpirun;
use std::path::Path;
use tessera::storage::Reader;

/// Runs a deck that lies in `folder`; the run's file.
fn run(folder: &Path, deck: &str, ranks: usize, overrides: &[String]) -> Reader {
    let path = folder.join("deck.toml");
    std::fs::write(&path, deck).unwrap();
    let mut command = mpirun(300, ranks, env!("CARGO_BIN_EXE_tessera"));
    command.args(["run", "--quiet"]).arg(path).args(["--output".as_ref(), folder.as_os_str()]);
    for o in overrides {
        command.args(["--set", o]);
    }
    let output = command.output().expect("mpirun starts");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{ranks} ranks: {}\n{text}\n{deck}", output.status);
    Reader::open(&folder.join("run.h5")).expect("the run writes run.h5")
}

fn quantity(reader: &Reader, name: &str) -> f64 {
    reader.array::<f64>(&format!("/qoi/{name}")).expect("a quantity").1[0]
}

/// The patch test (Irons and Razzaque 1972) with essential values on the whole boundary: meshes from
/// Gmsh with irregular cells, both models, both degrees.
#[test]
fn linear_fields_are_exact_on_irregular_meshes() {
    let folder = tempfile::tempdir().unwrap();
    let input = Path::new(env!("CARGO_MANIFEST_DIR")).join("input");
    let blade = "\"suction_side\", \"pressure_side\", \"trailing_edge\", \"cooling\", \"shank\", \"tip\", \"platform\", \"root\"";
    // With the root of the volume, the size of the norms.
    for (mesh, markers, dimension, root) in [
        ("cook/cook.msh", "\"left\", \"right\", \"top\", \"bottom\"", 2, 38.0),
        ("plate/plate.msh", "\"symmetry_x\", \"symmetry_y\", \"right\", \"top\", \"hole\"", 2, 4.0),
        ("blade/blade.msh", blade, 3, 250.0),
    ] {
        let source = format!("[mesh]\nfile = \"{}\"\n", input.join(mesh).display());
        let linear = ["3 + 2*x - y + 4*z", "x - 2*y + 0.5*z", "0.25*x + y - z"].map(|f| match dimension {
            2 => f.replace(" + 4*z", "").replace(" + 0.5*z", ""),
            _ => f.to_string(),
        });
        let vector: Vec<String> = linear[..dimension].iter().map(|f| format!("\"{f}\"")).collect();
        let degrees: &[usize] = if dimension == 2 { &[1, 2] } else { &[1] };
        for &degree in degrees {
            for (model, value) in [
                ("model = \"diffusion\"\nconductivity = 3.0", format!("\"{}\"", linear[0])),
                ("model = \"elasticity\"\nyoung = 1.0\npoisson = 0.3", format!("[{}]", vector.join(", "))),
            ] {
                let deck = format!(
                    "{source}[[physics]]\n{model}\ndegree = {degree}\n\
                     [[physics.boundary]]\nmarker = [{markers}]\nvalue = {value}\n\
                     [solver]\ntolerance = 1e-13\nmethod = \"direct\"\n[[exact]]\nvalue = {value}\n\
                     [[quantity]]\nname = \"l2\"\nkind = \"l2_error\"\n\
                     [[quantity]]\nname = \"h1\"\nkind = \"h1_error\"\n\
                     [[quantity]]\nname = \"peak\"\nkind = \"maximum\"\n[output]\nfields = []\nxdmf = false\n"
                );
                let file = run(folder.path(), &deck, 2, &[]);
                let (l2, h1) = (quantity(&file, "l2"), quantity(&file, "h1"));
                let size = root * quantity(&file, "peak");
                assert!(
                    l2 < 1e-12 * size && h1 < 1e-10 * size,
                    "{mesh} {degree} {model}: {l2:e}, {h1:e}, {size:e}"
                );
            }
        }
    }
}

#[test]
fn files_do_not_show_ranks_and_experts() {
    let folder = tempfile::tempdir().unwrap();
    let deck = r#"
        [mesh]
        box = { cell = "tetrahedron", cells = [8, 7, 6], lower = [0, 0, 0], upper = [1, 0.8, 0.6] }
        [[physics]]
        name = "heat"
        model = "diffusion"
        field = "temperature"
        degree = 2
        conductivity = "1 + x*y"
        source = "sin(5*x)*z"
        [[physics.boundary]]
        marker = "left"
        value = "300 + 10*y"
        [[physics.boundary]]
        marker = "right"
        coefficient = 3.0
        ambient = 400.0
        [[physics]]
        name = "stress"
        model = "elasticity"
        young = 2e5
        poisson = 0.3
        expansion = 1e-5
        reference_temperature = 290.0
        temperature = { physics = "heat" }
        [[physics.boundary]]
        marker = "left"
        value = 0.0
        [[physics.boundary]]
        marker = "top"
        pressure = "10*x"
        [solver]
        method = "direct"
    "#;
    let contents = |ranks: usize, experts: usize| {
        let file = run(folder.path(), deck, ranks, &[format!("partition.experts={experts}")]);
        let mut list: Vec<(String, Vec<f64>)> = file
            .members("/fields")
            .into_iter()
            .map(|name| (name.clone(), file.array::<f64>(&format!("/fields/{name}")).unwrap().1))
            .collect();
        list.push(("coordinates".into(), file.array::<f64>("/mesh/geometry").unwrap().1));
        list
    };
    let reference = contents(1, 1);
    assert_eq!(reference.len(), 7, "two solutions, flux, stress, strain, von Mises, coordinates");
    for (ranks, experts) in [(2, 2), (3, 7), (4, 64), (1, 64), (2, 16)] {
        for ((name, expected), (_, found)) in reference.iter().zip(contents(ranks, experts)) {
            let scale = expected.iter().fold(0.0f64, |m, v| m.max(v.abs()));
            assert_eq!(expected.len(), found.len(), "{name}");
            let worst = expected.iter().zip(&found).fold(0.0f64, |m, (a, b)| m.max((a - b).abs()));
            assert!(worst <= 1e-9 * scale, "{name} on {ranks} ranks, {experts} experts: {:e}", worst / scale);
        }
    }
}
