//! Tells the program which commit it is built from, where git knows.
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Without git, or outside a clone, the version alone names the program.
    if let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) {
        println!("cargo::rustc-env=TESSERA_COMMIT={commit}");
    }
    let names = ["HEAD".to_string(), git(&["symbolic-ref", "-q", "HEAD"]).unwrap_or_default()];
    for name in names.iter().filter(|n| !n.is_empty()) {
        if let Some(path) = git(&["rev-parse", "--git-path", name]) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
}

/// What git answers on one line.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_string();
    (output.status.success() && !text.is_empty()).then_some(text)
}
