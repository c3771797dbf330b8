//! Finds the installed PETSc, checks that it is usable, and generates the bindings. What differs between versions stands in
//! `shim.c`.
use std::{env, path::PathBuf, process::Command};

/// What to do when no usable PETSc is found: one place, every error ends with it.
const HELP: &str = "install it (Debian/Ubuntu: `apt install libpetsc-real-dev`; Spack: `spack install petsc+mpi~complex && spack load petsc`; \
    cluster: `module load petsc`), or set PETSC_DIR (and PETSC_ARCH for a source build) so that $PETSC_DIR/$PETSC_ARCH/include/petscconf.h exists";

fn fail(message: &str) -> ! {
    // `cargo::error` gives one clean line instead of a panic's page of noise.
    println!("cargo::error={message}: {HELP}");
    std::process::exit(1)
}

/// Where its headers are: `PETSC_DIR`/`PETSC_ARCH` when set (its own pkg-config file first), else `pkg-config`.
fn find() -> Vec<PathBuf> {
    if let Ok(directory) = env::var("PETSC_DIR") {
        let root = PathBuf::from(&directory);
        let prefix = root.join(env::var("PETSC_ARCH").unwrap_or_default());
        if !prefix.join("include/petscconf.h").exists() {
            fail(&format!(
                "PETSC_DIR={directory} with PETSC_ARCH={} holds no include/petscconf.h",
                env::var("PETSC_ARCH").unwrap_or_else(|_| "(unset)".into())
            ));
        }
        let old = env::var("PKG_CONFIG_PATH").unwrap_or_default();
        // SAFETY: the build script is single threaded.
        unsafe {
            env::set_var("PKG_CONFIG_PATH", format!("{}:{old}", prefix.join("lib/pkgconfig").display()))
        };
    }
    let mut errors = String::new();
    for name in ["PETSc", "petsc"] {
        match pkg_config::Config::new().atleast_version("3.18").probe(name) {
            Ok(library) => return library.include_paths,
            Err(error) => errors = error.to_string().lines().next().unwrap_or_default().to_string(),
        }
    }
    fail(&format!("PETSc 3.18 or newer was not found ({errors})"))
}

fn main() {
    for name in ["PETSC_DIR", "PETSC_ARCH", "PKG_CONFIG_PATH"] {
        println!("cargo::rerun-if-env-changed={name}");
    }
    println!("cargo::rerun-if-changed=wrapper.h");
    println!("cargo::rerun-if-changed=shim.c");
    let include = find();
    let configuration = include
        .iter()
        .find_map(|directory| std::fs::read_to_string(directory.join("petscconf.h")).ok())
        .unwrap_or_default();
    if configuration.lines().any(|line| line.starts_with("#define PETSC_USE_COMPLEX")) {
        fail("the PETSc found has complex scalars; Tessera needs a real one");
    }
    if !configuration.lines().any(|line| line.starts_with("#define PETSC_USE_REAL_DOUBLE")) {
        fail("the PETSc found is not double precision");
    }
    if configuration.lines().any(|line| line.starts_with("#define PETSC_USE_64BIT_INDICES")) {
        fail("the PETSc found has 64-bit indices; Tessera needs one with 32-bit indices");
    }
    let mut builder = bindgen::Builder::default()
        .header("wrapper.h")
        .allowlist_item(
            "(Petsc|PETSC|petsc_shim|Vec|Mat|MAT|KSP|PC|SNES|TS|DM|IS|AO|NORM|INSERT|ADD|SCATTER).*",
        )
        // MPI types come from mpi-sys, so that a communicator of rsmpi is one of PETSc's.
        .blocklist_item("(MPI|ompi|OMPI|MPIX|PMPI).*")
        .raw_line("pub use mpi_sys::*;")
        .default_enum_style(bindgen::EnumVariation::NewType { is_bitfield: false, is_global: true })
        .layout_tests(false)
        .generate_comments(false)
        .derive_default(false);
    for directory in &include {
        builder = builder.clang_arg(format!("-I{}", directory.display()));
    }
    let mpi =
        Command::new("mpicc").arg("-show").output().unwrap_or_else(|_| fail("mpicc is not on the path"));
    // The MPI compiler wrapper knows where mpi.h is.
    cc::Build::new()
        .compiler("mpicc")
        .file("shim.c")
        .includes(&include)
        .warnings(false)
        .compile("petsc_shim");
    for flag in String::from_utf8_lossy(&mpi.stdout).split_whitespace() {
        if flag.starts_with("-I") {
            builder = builder.clang_arg(flag);
        }
    }
    let bindings =
        builder.generate().unwrap_or_else(|error| fail(&format!("bindgen could not read petsc.h ({error})")));
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo sets OUT_DIR")).join("bindings.rs");
    bindings.write_to_file(out).expect("the build directory is writable");
}
