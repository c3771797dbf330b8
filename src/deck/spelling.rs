//! Helping with slips of the pen.

/// Longer texts, in bytes, are no misspelt names.
const LONGEST_NAME: usize = 200;

/// The known name nearest to `found`, if near enough to have been meant.
pub fn nearest<'a>(found: &str, known: &[&'a str]) -> Option<&'a str> {
    // Nobody means a name by a text, and comparing takes the product of both lengths.
    let is_name = |name: &str| name.len() <= LONGEST_NAME;
    let lower = if is_name(found) { found.to_lowercase() } else { return None };
    known
        .iter()
        .filter(|name| is_name(name))
        .map(|name| (strsim::damerau_levenshtein(&lower, &name.to_lowercase()), *name))
        .filter(|(distance, name)| *distance <= 1 + found.len().min(name.len()) / 4)
        .min_by(|(a, first), (b, second)| {
            // Of equally distant names the one with the more letters in common.
            let alike = |name: &str| strsim::jaro_winkler(&lower, &name.to_lowercase());
            a.cmp(b).then(alike(second).total_cmp(&alike(first)))
        })
        .map(|(_, name)| name)
}

/// The end of a message about an unknown name: `; did you mean "root"? (markers: root, skin)`.
pub fn did_you_mean(found: &str, known: &[&str], plural: &str) -> String {
    let hint = nearest(found, known).map_or(String::new(), |name| format!("; did you mean \"{name}\"?"));
    match known {
        [] => format!("{hint} (there are no {plural})"),
        _ => format!("{hint} ({plural}: {})", known.join(", ")),
    }
}

/// A list for people: `a, b or c`.
pub fn either(words: &[impl AsRef<str>]) -> String {
    match words {
        [] => String::new(),
        [one] => one.as_ref().to_string(),
        [most @ .., last] => {
            let most: Vec<&str> = most.iter().map(AsRef::as_ref).collect();
            format!("{} or {}", most.join(", "), last.as_ref())
        }
    }
}

/// Whether a name can stand in expressions, option prefixes and file paths.
pub(super) fn is_identifier(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && characters.all(|c| c.is_ascii_alphanumeric() || c == '_')
}
