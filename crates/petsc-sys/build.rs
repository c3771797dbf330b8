//! Finds the installed PETSc, checks that it is usable, and generates the bindings. What differs between versions stands in
//! `shim.c`. For docs.rs, which has no PETSc, `docs.rs` stands in for the bindings.
use std::{env, path::PathBuf, process::Command};

/// What to do when no usable PETSc is found: one place, every error ends with it.
const HELP: &str = "install PETSc (Debian/Ubuntu: `apt install libpetsc-real-dev`; Spack: `spack install petsc+mpi~complex && spack load petsc`; \
    cluster: `module load petsc`), or set PETSC_DIR (and PETSC_ARCH for a source build) so that $PETSC_DIR/$PETSC_ARCH/include/petscconf.h exists";

fn fail(message: &str) -> ! {
    // `cargo::error` gives one clean line instead of a panic's page of noise.
    println!("cargo::error={message}: {HELP}");
    std::process::exit(1)
}

/// Where its headers are: `PETSC_DIR`/`PETSC_ARCH` when set (by its own pkg-config file), else `pkg-config`.
fn find() -> Vec<PathBuf> {
    let mut names = ["PETSc", "petsc"].map(String::from).to_vec();
    if let Ok(directory) = env::var("PETSC_DIR") {
        let root = PathBuf::from(&directory);
        let prefix = root.join(env::var("PETSC_ARCH").unwrap_or_default());
        if !prefix.join("include/petscconf.h").exists() {
            fail(&format!(
                "PETSC_DIR={directory} with PETSC_ARCH={} holds no include/petscconf.h",
                env::var("PETSC_ARCH").unwrap_or_else(|_| "(unset)".into())
            ));
        }
        // Another PETSc must not stand in for this one when its version does not do.
        if let Some(own) =
            names.iter().map(|name| prefix.join(format!("lib/pkgconfig/{name}.pc"))).find(|f| f.exists())
        {
            names = vec![own.display().to_string()];
        }
        let old = env::var("PKG_CONFIG_PATH").unwrap_or_default();
        // SAFETY: the build script is single threaded.
        unsafe {
            env::set_var("PKG_CONFIG_PATH", format!("{}:{old}", prefix.join("lib/pkgconfig").display()))
        };
    }
    let mut why = String::new();
    for name in names {
        match pkg_config::Config::new().atleast_version("3.18").probe(&name) {
            Ok(library) => return library.include_paths,
            Err(error) => why = reason(error),
        }
    }
    fail(&format!("PETSc 3.18 or newer was not found ({why})"))
}

/// What is wrong: the last line of what pkg-config says.
fn reason(error: pkg_config::Error) -> String {
    use pkg_config::Error::{Failure, ProbeFailure};
    let (Failure { output, .. } | ProbeFailure { output, .. }) = error else {
        return "pkg-config could not be run".into();
    };
    let text = String::from_utf8_lossy(&output.stderr);
    text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default().to_string()
}

/// The bindings are for one kind of PETSc.
fn refuse_wrong_kinds(include: &[PathBuf]) {
    let configuration = include
        .iter()
        .find_map(|directory| std::fs::read_to_string(directory.join("petscconf.h")).ok())
        .unwrap_or_else(|| fail(&format!("the PETSc found has no petscconf.h in {include:?}")));
    let has = |name: &str| configuration.lines().any(|line| line.starts_with(&format!("#define {name}")));
    for (wrong, what) in [
        (has("PETSC_USE_COMPLEX"), "has complex scalars, not real ones"),
        (!has("PETSC_USE_REAL_DOUBLE"), "is not of double precision"),
        (has("PETSC_USE_64BIT_INDICES"), "has 64-bit indices, not 32-bit ones"),
        (has("PETSC_HAVE_MPIUNI"), "was built without MPI"),
    ] {
        if wrong {
            fail(&format!("the PETSc found {what}"));
        }
    }
}

fn main() {
    for name in ["PETSC_DIR", "PETSC_ARCH", "PKG_CONFIG_PATH", "MPICC", "DOCS_RS"] {
        println!("cargo::rerun-if-env-changed={name}");
    }
    for file in ["wrapper.h", "shim.c", "docs.rs"] {
        println!("cargo::rerun-if-changed={file}");
    }
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo sets OUT_DIR")).join("bindings.rs");
    if env::var_os("DOCS_RS").is_some() {
        std::fs::copy("docs.rs", out).expect("the build directory is writable");
        return;
    }
    let include = find();
    refuse_wrong_kinds(&include);
    let mut builder = bindgen::Builder::default()
        .header("wrapper.h")
        .allowlist_item(
            "(Petsc|PETSC|petsc_shim|Vec|Mat|MAT|KSP|PC|SNES|TS|DM|IS|AO|NORM|INSERT|ADD|SCATTER).*",
        )
        // MPI types come from mpi-sys, so that a communicator of rsmpi is one of PETSc's.
        .blocklist_item("(MPI|ompi|OMPI|MPIX|PMPI).*")
        .default_enum_style(bindgen::EnumVariation::NewType { is_bitfield: false, is_global: true })
        .layout_tests(false)
        .generate_comments(false)
        .derive_default(false);
    for directory in &include {
        builder = builder.clang_arg(format!("-I{}", directory.display()));
    }
    // The MPI compiler wrapper knows where mpi.h is. mpi-sys takes the same one.
    let mpicc = env::var("MPICC").unwrap_or_else(|_| "mpicc".into());
    let mpi = Command::new(&mpicc)
        .arg("-show")
        .output()
        .unwrap_or_else(|_| fail(&format!("MPI's compiler {mpicc} is not on the path")));
    cc::Build::new().compiler(&mpicc).file("shim.c").includes(&include).warnings(false).compile("petsc_shim");
    for flag in String::from_utf8_lossy(&mpi.stdout).split_whitespace() {
        if flag.starts_with("-I") {
            builder = builder.clang_arg(flag);
        }
    }
    let bindings =
        builder.generate().unwrap_or_else(|error| fail(&format!("bindgen could not read petsc.h ({error})")));
    bindings.write_to_file(out).expect("the build directory is writable");
}
