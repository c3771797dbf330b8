//! The reference of decks in Markdown, made from their schema.
use super::schema::{choices, in_words, kinds, properties, required, resolve, schema, tag, words};
use serde_json::Value as Json;
use std::collections::HashSet;
use std::fmt::Write;

/// Every key of a deck with its type, default, unit and meaning, as Markdown.
pub fn reference() -> String {
    let mut page = Page { text: INTRODUCTION.into(), seen: HashSet::new(), values: Vec::new() };
    let root = schema();
    page.rows(root, &["title"]);
    for (key, section) in properties(root) {
        let list = section.get("type") == Some(&Json::from("array"));
        let item = if list { section.get("items").unwrap_or(section) } else { section };
        let entries = resolve(section).get("additionalProperties").filter(|s| s.is_object());
        match (key, entries) {
            ("title", _) => continue,
            (_, Some(entry)) => {
                page.heading(2, &format!("`[{key}]`"), description(section));
                let _ = writeln!(
                    page.text,
                    "\nEach entry is `name = value`, the value: {}.",
                    page_type(entry, &mut page.values)
                );
                page.named(entry, 3, "Table of a parameter");
            }
            _ if list => {
                page.heading(2, &format!("`[[{key}]]`"), longer(section, item));
                page.section(item, 3, key);
                if key == "quantity" {
                    page.text += QUANTITIES;
                }
            }
            _ => {
                page.heading(2, &format!("`[{key}]`"), longer(section, item));
                page.section(item, 3, key);
            }
        }
    }
    page.values();
    page.text
}

const INTRODUCTION: &str = "# Decks\n\n<!-- Made by `tessera schema --markdown`; edit the comments in src/deck instead. -->\n\n\
    A deck is a TOML file. Unknown keys are errors. Every key can be overridden on the command line: \
    `--set solver.tolerance=1e-10`, `--set physics.heat.degree=2`, `--set parameters.h=250`. Units are SI. \
    A default of \"–\" marks a key that may be left out, \"**required**\" one that may not.\n";

/// Units by dimension, which no schema knows.
const QUANTITIES: &str = "\n### Units of quantities\n\
    A mesh in two dimensions is a slice 1 m thick, one in one dimension a rod of 1 m2, an axisymmetric one the whole body of \
    revolution. Keys keep their units in all of them (a source is in W/m3, a traction in Pa); what is integrated is for each \
    metre of thickness or square metre of cross-section. U is the unit of the field; of the fluxes and energies those of heat \
    conduction (field in K) and elasticity are given, other fields' have no unit in tables. Of a vector or tensor without \
    `component` the magnitude is taken.\n\n\
    | kind | 1D | 2D | axisymmetric | 3D |\n| --- | --- | --- | --- | --- |\n\
    | `average`, `minimum`, `maximum`, `point` | U | U | U | U |\n\
    | `integral` over the domain or a region | U m | U m2 | U m3 | U m3 |\n\
    | `integral` over a facet marker | U | U m | U m2 | U m2 |\n\
    | `flux`, `reaction` of heat | W/m2 | W/m | W | W |\n\
    | `flux`, `reaction` of elasticity: a force | N/m2 | N/m | N | N |\n\
    | `flux` of a flow: a volume | – | m2/s | – | m3/s |\n\
    | `reaction` of a flow: a force | – | N/m | – | N |\n\
    | `energy` of heat | W K/m2 | W K/m | W K | W K |\n\
    | `energy` of elasticity | J/m2 | J/m | J | J |\n\
    | `l2_error` | U m^(1/2) | U m | U m^(3/2) | U m^(3/2) |\n\
    | `h1_error` | U m^(-1/2) | U | U m^(1/2) | U m^(1/2) |\n\n\
    With a `factor` the number has no unit. What fluxes, reactions and energies are: \
    [Fluxes, forces, balances and supports](../theory/balances.md).\n";

struct Page {
    text: String,
    /// Definitions that have been described.
    seen: HashSet<&'static str>,
    /// Definitions of values that are described at the end.
    values: Vec<&'static str>,
}

impl Page {
    fn heading(&mut self, level: usize, title: &str, meaning: &str) {
        let _ = writeln!(self.text, "\n{} {title}", "#".repeat(level));
        if !meaning.is_empty() {
            let _ = writeln!(self.text, "{meaning}");
        }
    }

    /// A section's keys, then those of the tables inside it.
    fn section(&mut self, schema: &'static Json, level: usize, key: &str) {
        let variants = choices(schema);
        for variant in &variants {
            if let Some((name, value)) = tag(variant) {
                self.heading(level, &format!("`{key}` with `{name} = \"{value}\"`"), description(variant));
            }
            self.rows(variant, &[]);
            for (name, schema) in properties(variant) {
                let list = schema.get("type") == Some(&Json::from("array"));
                let item = if list { schema.get("items").unwrap_or(schema) } else { schema };
                let path = if list { format!("[{key}.{name}]") } else { format!("{key}.{name}") };
                self.named(item, level + usize::from(variants.len() > 1), &path);
            }
        }
    }

    /// The tables that a schema refers to, each once.
    fn named(&mut self, schema: &'static Json, level: usize, title: &str) {
        let Some(name) = definition(schema) else { return };
        if VALUES.contains(&name) || self.seen.contains(name) {
            return;
        }
        let tables: Vec<_> = choices(schema).into_iter().filter(|c| !properties(c).is_empty()).collect();
        if tables.is_empty() {
            return;
        }
        self.seen.insert(name);
        let title = if title.contains(' ') { title.to_string() } else { format!("`{title}`") };
        for table in tables {
            self.heading(level, &title, description(table));
            self.rows(table, &[]);
        }
    }

    /// The table of keys; `only` picks some of them.
    fn rows(&mut self, schema: &'static Json, only: &[&str]) {
        let needed = required(schema);
        self.text += "\n| key | value | default | unit | meaning |\n| --- | --- | --- | --- | --- |\n";
        for (key, property) in properties(schema) {
            if (!only.is_empty() && !only.contains(&key)) || property.get("const").is_some() {
                continue;
            }
            let default = match property.get("default") {
                _ if needed.contains(&key) => "**required**".into(),
                Some(Json::Object(_) | Json::Null) | None => "–".into(),
                Some(value) => format!("`{value}`"),
            };
            let unit = property.get("x-unit").and_then(Json::as_str).unwrap_or("");
            let kind = page_type(property, &mut self.values);
            let mut meaning = description(property).replace('\n', " ");
            meaning += &limits(property);
            for choice in choices(property) {
                if let Some(word) = choice.get("const").and_then(Json::as_str) {
                    let _ = write!(meaning, "<br>`\"{word}\"`: {}", description(choice));
                }
            }
            let _ = writeln!(self.text, "| `{key}` | {kind} | {default} | {unit} | {meaning} |");
        }
    }

    fn values(&mut self) {
        self.heading(2, "Values", "Kinds of values that the tables above name.");
        let mut next = 0;
        while let Some(&name) = self.values.get(next) {
            next += 1;
            let Some(schema) = schema().pointer(&format!("/$defs/{name}")) else { continue };
            self.heading(3, name, &description(schema).replace('\n', " "));
            let list = schema.get("anyOf").and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
            self.text.push('\n');
            for choice in list {
                let kind = page_type(choice, &mut self.values);
                let keys = choices(choice).first().map(|c| properties(c)).unwrap_or_default();
                let keys: Vec<String> = keys
                    .iter()
                    .map(|(key, property)| format!(" `{key}`: {}", description(property)))
                    .collect();
                let _ = writeln!(self.text, "- {kind}: {}{}", description(choice), keys.concat());
            }
        }
    }
}

/// Kinds of values with a section of their own at the end.
const VALUES: [&str; 7] =
    ["Coefficient", "InitialValue", "Tensor", "Scalar", "Essential", "ScalarOrVector", "Names"];

fn description(schema: &'static Json) -> &'static str {
    schema.get("description").and_then(Json::as_str).unwrap_or("")
}

/// The definition that a schema (or its choice beside `null`) refers to.
fn definition(schema: &'static Json) -> Option<&'static str> {
    let direct = |s: &'static Json| s.get("$ref")?.as_str()?.rsplit('/').next();
    direct(schema).or_else(|| schema.get("anyOf")?.as_array()?.iter().find_map(direct))
}

fn page_type(schema: &'static Json, values: &mut Vec<&'static str>) -> String {
    if let Some(name) = definition(schema).filter(|name| VALUES.contains(name)) {
        if !values.contains(&name) {
            values.push(name);
        }
        return format!("[{name}](#{})", name.to_lowercase());
    }
    let choices = choices(schema);
    if choices.iter().all(|choice| words(choice).is_some()) {
        let list: Vec<String> =
            choices.iter().filter_map(|c| words(c)).flatten().map(|word| format!("`\"{word}\"`")).collect();
        return list.join(", ");
    }
    let one = |choice: &&'static Json| {
        if let Some(words) = words(choice) {
            return words.iter().map(|word| format!("`\"{word}\"`")).collect::<Vec<_>>().join(" or ");
        }
        let kind = kinds(choice).first().copied().unwrap_or("");
        match choice.get("items") {
            Some(items) => format!("list of {}", plural(page_type(items, values))),
            None => in_words(kind).trim_start_matches("a ").to_string(),
        }
    };
    choices.iter().map(one).collect::<Vec<_>>().join(" or ")
}

/// What a section is: the words of its key or of its definition, whichever say more.
fn longer(section: &'static Json, item: &'static Json) -> &'static str {
    let (key, own) = (description(section), description(resolve(item)));
    if own.len() > key.len() { own } else { key }
}

fn plural(word: String) -> String {
    match word.as_str() {
        "string" | "number" | "whole number" | "table" => word + "s",
        _ => word.replacen("list of", "lists of", 1),
    }
}

fn limits(schema: &'static Json) -> String {
    let bound =
        |key: &str| choices(schema).into_iter().chain([schema]).find_map(|s| s.get(key)).map(Json::to_string);
    let list: Vec<String> = [
        ("at least", bound("minimum").filter(|least| least != "0")),
        ("above", bound("exclusiveMinimum")),
        ("at most", bound("maximum")),
        ("below", bound("exclusiveMaximum")),
    ]
    .into_iter()
    .filter_map(|(word, value)| Some(format!("{word} {}", value?.trim_end_matches(".0"))))
    .collect();
    if list.is_empty() { String::new() } else { format!(" ({})", list.join(", ")) }
}
