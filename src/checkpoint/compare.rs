//! Whether a run may go on with a deck that is not the one it was started with.
use crate::deck::Deck;
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::path::Path;
use toml::Value;

/// What may change. Sections, or keys: how equations are solved and what is made of the solution, but not the equations.
const HARMLESS: &[&str] = &[
    "title",
    "partition",
    "solver",
    "output.directory",
    "output.xdmf",
    "output.frames",
    "checkpoint",
    "exact",
    "constraint",
    "experts",
    "campaign",
    "rom",
    "time.end",
    "time.step",
    "time.tolerance",
    "time.growth",
    "time.shortest",
    "time.longest",
    "time.stops",
];

/// Compares the deck of a checkpoint with that of the run; the keys that changed, all of them harmless.
///
/// # Errors
/// [`Error::Input`] that names each key that must not change.
pub fn compare(stored: &str, deck: &Deck, checkpoint: &Path) -> Result<Vec<String>> {
    let (mut harmless, mut faults) = (Vec::new(), Vec::new());
    for (key, old, new) in differences(stored, &deck.to_toml()) {
        if is_harmless(&key) {
            harmless.push(key);
            continue;
        }
        let from = checkpoint.display();
        if let Error::Input(list) = deck.fault(&key, format!("{new}, but {from} was made with {old}")) {
            faults.extend(list);
        }
    }
    if faults.is_empty() { Ok(harmless) } else { Err(Error::Input(faults)) }
}

/// The keys in which two decks differ, each with its two values, `nothing` where there is none.
pub fn differences(before: &str, now: &str) -> Vec<(String, String, String)> {
    let (before, now) = (leaves(before), leaves(now));
    let mut keys: Vec<&String> = before.keys().chain(now.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    let shown = |value: Option<&String>| value.map_or("nothing".into(), String::clone);
    let differ = keys.into_iter().filter(|key| before.get(*key) != now.get(*key));
    differ.map(|key| (key.clone(), shown(before.get(key)), shown(now.get(key)))).collect()
}

fn is_harmless(key: &str) -> bool {
    let under = |above: &&str| {
        key.strip_prefix(*above).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    let own_solver = key.starts_with("physics[") && key.split('.').nth(1) == Some("solver");
    // What campaigns vary; the value of a parameter is its default.
    let range = key.starts_with("parameters.") && key.split('.').nth(2).is_some_and(|last| last != "default");
    HARMLESS.iter().any(under) || own_solver || range
}

/// Every value of a deck with its dotted key.
fn leaves(deck: &str) -> BTreeMap<String, String> {
    let mut list = BTreeMap::new();
    if let Ok(table) = deck.parse::<toml::Table>() {
        collect("", &Value::Table(table), &mut list);
    }
    list
}

fn collect(path: &str, value: &Value, list: &mut BTreeMap<String, String>) {
    match value {
        Value::Table(table) => {
            let dot = if path.is_empty() { "" } else { "." };
            table.iter().for_each(|(key, value)| collect(&format!("{path}{dot}{key}"), value, list));
        }
        // Lists of tables entry by entry, lists of numbers as a whole.
        Value::Array(array) if array.iter().any(Value::is_table) => {
            array.iter().enumerate().for_each(|(i, value)| collect(&format!("{path}[{i}]"), value, list));
        }
        other => {
            list.insert(path.into(), other.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DECK: &str = r#"
mesh.box = { cell = "interval", cells = [4] }
parameters = { h = { default = 1.0, range = [0.5, 2.0] } }
time = { end = 1.0, step = 0.1 }
[[physics]]
name = "heat"
model = "diffusion"
boundary = [{ marker = "left", value = "h" }]
"#;

    #[test]
    fn harmless_changes_pass_and_others_are_named() {
        let stored = Deck::parse(DECK, "deck.toml", &[]).unwrap().to_toml();
        let deck = |list: &[&str]| {
            let list: Vec<String> = list.iter().map(|s| s.to_string()).collect();
            Deck::parse(DECK, "deck.toml", &list).unwrap()
        };
        let path = Path::new("run-00000001.h5");
        assert!(compare(&stored, &deck(&[]), path).unwrap().is_empty());
        let harmless = [
            "title=another",
            "time.end=2.0",
            "time.tolerance=1e-3",
            "output.frames=20",
            "checkpoint.keep=5",
            "solver.tolerance=1e-4",
            "physics.heat.solver.method=direct",
            "parameters.h.range=[0.1, 3.0]",
        ];
        assert!(compare(&stored, &deck(&harmless), path).unwrap().len() >= harmless.len());
        for (change, expected) in [
            (
                "mesh.box.cells=[8]",
                "--set mesh.box.cells=[8]: mesh.box.cells: [8], but run-00000001.h5 was made with [4]",
            ),
            ("parameters.h=1.5", "parameters.h.default: 1.5, but"),
            ("physics.heat.degree=2", "physics[0].degree: 2, but run-00000001.h5 was made with 1"),
            ("time.scheme=bdf1", "time.scheme: \"bdf1\", but run-00000001.h5 was made with \"bdf2\""),
            ("time.start=0.5", "time.start: 0.5, but"),
            ("physics.heat.boundary[0].value=0.5", "physics[0].boundary[0].value: 0.5, but"),
            ("output.fields=[\"u\"]", "output.fields"),
        ] {
            let error = compare(&stored, &deck(&[change]), path).unwrap_err().to_string();
            assert!(error.contains(expected) && error.lines().count() == 1, "{change}: {error}");
        }
    }
}
