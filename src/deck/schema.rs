//! The JSON schema of decks, and the check of a deck against it: unknown and missing keys, types, ranges.
//!
//! serde alone reports one fault, without its position where an untagged choice is involved; the
//! schema knows every key, type and range, so this walk reports them all.
use super::document::{Fault, Node, Place, Value, join};
use super::spelling::{did_you_mean, either};
use super::whole::Deck;
use serde_json::Value as Json;
use std::sync::OnceLock;

/// The JSON schema (draft 2020-12) of a deck, for editors and for the reference.
pub fn schema() -> &'static Json {
    static SCHEMA: OnceLock<Json> = OnceLock::new();
    SCHEMA.get_or_init(|| schemars::schema_for!(Deck).to_value())
}

/// All faults of a deck's tree.
pub(super) fn check(root: &Node) -> Vec<Fault> {
    let mut faults = Vec::new();
    walk(root, schema(), "", &mut faults);
    faults
}

fn fault(place: &Place, key: &str, message: String) -> Fault {
    Fault { place: place.clone(), key: key.into(), message }
}

/// Follows `$ref`.
pub(super) fn resolve(mut schema: &'static Json) -> &'static Json {
    while let Some(reference) = schema.get("$ref").and_then(Json::as_str) {
        match self::schema().pointer(reference.trim_start_matches('#')) {
            Some(next) => schema = next,
            None => break,
        }
    }
    schema
}

/// The choices of a schema (itself if it has none), `null` left out.
pub(super) fn choices(schema: &'static Json) -> Vec<&'static Json> {
    let schema = resolve(schema);
    let list = schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Json::as_array);
    match list {
        None => vec![schema],
        Some(list) => list
            .iter()
            .filter(|choice| choice.get("type") != Some(&Json::from("null")))
            .flat_map(choices)
            .collect(),
    }
}

/// The words that a choice allows, if it is a word.
pub(super) fn words(choice: &Json) -> Option<Vec<&str>> {
    if let Some(word) = choice.get("const").and_then(Json::as_str) {
        return Some(vec![word]);
    }
    Some(choice.get("enum")?.as_array()?.iter().filter_map(Json::as_str).collect())
}

fn quoted(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| format!("\"{word}\"")).collect()
}

/// The tag of a variant of a tagged enum: key and value.
pub(super) fn tag(choice: &Json) -> Option<(&str, &str)> {
    let properties = choice.get("properties")?.as_object()?;
    properties.iter().find_map(|(key, schema)| Some((key.as_str(), schema.get("const")?.as_str()?)))
}

fn walk(node: &Node, schema: &'static Json, path: &str, faults: &mut Vec<Fault>) {
    let choices = choices(schema);
    let tags: Vec<_> = choices.iter().filter_map(|choice| tag(choice)).collect();
    if tags.len() == choices.len() {
        return tagged(node, &choices, &tags, path, faults);
    }
    let fitting: Vec<_> = choices.iter().copied().filter(|choice| accepts(choice, node)).collect();
    let known = fitting.iter().map(|choice| words(choice)).collect::<Option<Vec<_>>>();
    if let Some(known) = known.filter(|known| !known.is_empty()) {
        return one_of(node, &known.concat(), path, faults);
    }
    let named = |choice: &&&Json| {
        let known = choice.get("properties").and_then(Json::as_object);
        match (&node.value, known) {
            (Value::Table(table), Some(known)) => table.keys().any(|key| known.contains_key(key)),
            _ => false,
        }
    };
    match fitting[..] {
        [] => {
            let mut kinds: Vec<String> = choices.iter().flat_map(|choice| names(choice)).collect();
            kinds.dedup();
            let message = format!("expected {}, found {}", either(&kinds), describe(node));
            faults.push(fault(&node.place, path, message));
        }
        [only] => inside(node, only, path, faults),
        _ if fitting.iter().any(|choice| named(&choice)) => {
            if let Some(choice) = fitting.iter().find(named) {
                inside(node, choice, path, faults);
            }
        }
        // The choice that the value is nearest to.
        _ => {
            let best = fitting.iter().map(|choice| {
                let mut list = Vec::new();
                inside(node, choice, path, &mut list);
                list
            });
            faults.extend(best.min_by_key(Vec::len).unwrap_or_default());
        }
    }
}

fn one_of(node: &Node, known: &[&str], path: &str, faults: &mut Vec<Fault>) {
    match &node.value {
        Value::String(text) if known.contains(&text.as_str()) => {}
        Value::String(text) => {
            let message = format!("unknown value \"{text}\"{}", did_you_mean(text, known, "known"));
            faults.push(fault(&node.place, path, message));
        }
        _ => {
            let message = format!("expected {}, found {}", either(&quoted(known)), describe(node));
            faults.push(fault(&node.place, path, message));
        }
    }
}

fn tagged(
    node: &Node,
    choices: &[&'static Json],
    tags: &[(&str, &str)],
    path: &str,
    faults: &mut Vec<Fault>,
) {
    let Value::Table(_) = &node.value else {
        return faults.push(fault(&node.place, path, format!("expected a table, found {}", describe(node))));
    };
    let key = tags.first().map_or("", |(key, _)| *key);
    let known: Vec<&str> = tags.iter().map(|(_, value)| *value).collect();
    let mut tag_path = path.to_string();
    join(&mut tag_path, key);
    match node.get(key) {
        None => {
            let message = format!("missing key `{key}`: {}", either(&quoted(&known)));
            faults.push(fault(&node.place, path, message));
        }
        Some(value) => match &value.value {
            Value::String(text) if known.contains(&text.as_str()) => {
                if let Some(at) = known.iter().position(|word| word == text) {
                    inside(node, choices[at], path, faults);
                }
            }
            _ => one_of(value, &known, &tag_path, faults),
        },
    }
}

/// Properties of a table schema.
pub(super) fn properties(schema: &'static Json) -> Vec<(&'static str, &'static Json)> {
    let list = schema.get("properties").and_then(Json::as_object).into_iter().flatten();
    list.map(|(key, value)| (key.as_str(), value)).collect()
}

/// Keys that a table must have.
pub(super) fn required(schema: &'static Json) -> Vec<&'static str> {
    let list = schema.get("required").and_then(Json::as_array).into_iter().flatten();
    list.filter_map(Json::as_str).collect()
}

/// Checks a value of the right kind against one choice.
fn inside(node: &Node, schema: &'static Json, path: &str, faults: &mut Vec<Fault>) {
    match &node.value {
        Value::Table(table) => {
            let known = properties(schema);
            let others = schema.get("additionalProperties").filter(|schema| schema.is_object());
            for (key, (key_place, child)) in table {
                let mut path = path.to_string();
                join(&mut path, key);
                match (known.iter().find(|(name, _)| name == key), others) {
                    (Some((_, schema)), _) => walk(child, schema, &path, faults),
                    (None, Some(schema)) => walk(child, schema, &path, faults),
                    (None, None) => {
                        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
                        let message = format!("unknown key{}", did_you_mean(key, &names, "known"));
                        faults.push(fault(key_place, &path, message));
                    }
                }
            }
            for key in required(schema) {
                if !table.contains_key(key) {
                    faults.push(fault(&node.place, path, format!("missing key `{key}`")));
                }
            }
            if let Some(message) = too_few(schema, "minProperties", table.len()) {
                faults.push(fault(&node.place, path, message));
            }
        }
        Value::Array(list) => {
            if let Some(message) = too_few(schema, "minItems", list.len()) {
                faults.push(fault(&node.place, path, message));
            }
            if let Some(most) =
                schema.get("maxItems").and_then(Json::as_u64).filter(|&m| list.len() as u64 > m)
            {
                let message = format!("expected at most {most} entries, found {}", list.len());
                faults.push(fault(&node.place, path, message));
            }
            if let Some(items) = schema.get("items") {
                for (i, child) in list.iter().enumerate() {
                    walk(child, items, &format!("{path}[{i}]"), faults);
                }
            }
        }
        Value::Integer(value) => range(node, schema, *value as f64, path, faults),
        Value::Float(value) => range(node, schema, *value, path, faults),
        _ => {}
    }
}

fn too_few(schema: &Json, key: &str, found: usize) -> Option<String> {
    let least = schema.get(key)?.as_u64().filter(|&least| (found as u64) < least)?;
    Some(format!("expected at least {least} {}, found {found}", if least == 1 { "entry" } else { "entries" }))
}

fn range(node: &Node, schema: &Json, value: f64, path: &str, faults: &mut Vec<Fault>) {
    let bound = |key: &str| schema.get(key).and_then(Json::as_f64);
    let wrong = [
        bound("minimum").filter(|&b| value < b).map(|b| format!("at least {b}")),
        bound("exclusiveMinimum").filter(|&b| value <= b).map(|b| format!("above {b}")),
        bound("maximum").filter(|&b| value > b).map(|b| format!("at most {b}")),
        bound("exclusiveMaximum").filter(|&b| value >= b).map(|b| format!("below {b}")),
    ];
    if let Some(wanted) = wrong.into_iter().flatten().next() {
        faults.push(fault(
            &node.place,
            path,
            format!("expected a number {wanted}, found {}", describe(node)),
        ));
    }
}

/// JSON types of a choice.
pub(super) fn kinds(choice: &'static Json) -> Vec<&'static str> {
    match choice.get("type") {
        Some(Json::String(kind)) => vec![kind],
        Some(Json::Array(list)) => {
            list.iter().filter_map(Json::as_str).filter(|kind| *kind != "null").collect()
        }
        _ => Vec::new(),
    }
}

/// The words of a choice, or the kinds of value that it takes.
fn names(choice: &'static Json) -> Vec<String> {
    match words(choice) {
        Some(words) => quoted(&words),
        None => kinds(choice).into_iter().map(|kind| in_words(kind).to_string()).collect(),
    }
}

fn accepts(choice: &'static Json, node: &Node) -> bool {
    kinds(choice).into_iter().any(|kind| match &node.value {
        Value::String(_) => kind == "string",
        Value::Integer(_) => kind == "integer" || kind == "number",
        Value::Float(_) => kind == "number",
        Value::Boolean(_) => kind == "boolean",
        Value::Date(_) => false,
        Value::Array(_) => kind == "array",
        Value::Table(_) => kind == "object",
    })
}

/// A JSON type for people.
pub(super) fn in_words(kind: &'static str) -> &'static str {
    match kind {
        "string" => "a string",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "array" => "a list",
        "object" => "a table",
        other => other,
    }
}

fn describe(node: &Node) -> String {
    match &node.value {
        Value::String(text) => format!("the string \"{text}\""),
        Value::Integer(value) => value.to_string(),
        Value::Float(value) => value.to_string(),
        Value::Boolean(value) => value.to_string(),
        Value::Date(value) => format!("the date {value}"),
        Value::Array(list) if list.is_empty() => "an empty list".into(),
        Value::Array(_) => "a list".into(),
        Value::Table(_) => "a table".into(),
    }
}
