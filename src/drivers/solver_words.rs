//! A solver in a few words.

/// The method behind PETSc options, of which the first mention counts.
pub(super) fn in_words(options: &str) -> String {
    let words: Vec<&str> = options.split_whitespace().collect();
    let value = |name: &str| {
        let place = words.iter().position(|word| word.eq_ignore_ascii_case(name))?;
        words.get(place + 1).copied().filter(|word| !word.starts_with('-'))
    };
    if words.is_empty() {
        return "PETSc's defaults".into();
    }
    if !words[0].starts_with('-') {
        // Of a tuned solver.
        return options.split(':').next().unwrap_or_default().into();
    }
    let factors = |prefix: &str| {
        let package = value(&format!("-{prefix}pc_factor_mat_solver_type")).map(|name| format!(", {name}"));
        let kind = value(&format!("-{prefix}pc_type")).unwrap_or("lu");
        format!("factorisation ({kind}{})", package.unwrap_or_default())
    };
    let preconditioner = match value("-pc_type") {
        None => "PETSc's preconditioner".into(),
        Some("lu" | "cholesky") => factors(""),
        Some("redundant") => format!("{} on every rank", factors("redundant_")),
        Some("redistribute") => factors("redistribute_"),
        Some("gamg") => "multigrid (gamg)".into(),
        Some("hypre") => format!("multigrid ({})", value("-pc_hypre_type").unwrap_or("boomeramg")),
        Some("mg") => "p-multigrid".into(),
        Some("fieldsplit") => "block elimination".into(),
        Some("shell") => "two-level Schwarz".into(),
        Some("asm") if value("-pc_asm_type") == Some("restrict") => "restricted Schwarz".into(),
        Some("asm") => "additive Schwarz".into(),
        Some("bjacobi") => "block Jacobi".into(),
        Some("none") => "no preconditioner".into(),
        Some(other) => other.to_string(),
    };
    match value("-ksp_type") {
        Some("preonly") => preconditioner,
        Some(method) => format!("{method} + {preconditioner}"),
        None => format!("gmres + {preconditioner}"),
    }
}

#[cfg(test)]
mod tests {
    use super::in_words;

    #[test]
    fn methods_have_short_names() {
        for (options, words) in [
            ("", "PETSc's defaults"),
            ("-ksp_type cg -pc_type gamg -pc_gamg_threshold 0.04", "cg + multigrid (gamg)"),
            ("-ksp_type cg -pc_type hypre -pc_hypre_type boomeramg", "cg + multigrid (boomeramg)"),
            ("-pc_type jacobi -ksp_type cg -pc_type gamg", "cg + jacobi"),
            (
                "-ksp_type preonly -pc_type redundant -redundant_pc_type cholesky",
                "factorisation (cholesky) on every rank",
            ),
            (
                "-ksp_type preonly -pc_type lu -pc_factor_mat_solver_type mumps -mat_mumps_icntl_14 100",
                "factorisation (lu, mumps)",
            ),
            ("-ksp_type fgmres -pc_type fieldsplit", "fgmres + block elimination"),
            ("one of 4 arms: cg ...", "one of 4 arms"),
        ] {
            assert_eq!(in_words(options), words);
        }
    }
}
