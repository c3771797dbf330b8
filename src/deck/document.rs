//! A deck as a tree that remembers where in the text each key and value stands.
use super::spelling::did_you_mean;
use crate::error::{Diagnostic, Error};
use indexmap::IndexMap;
use std::fmt::Write;
use std::ops::Range;
use toml::de::{DeTable, DeValue};

/// Most parts of the key of an override: each may make a table inside a table. (Of a deck's text the parser limits the
/// depth.)
const MOST_PARTS: usize = 32;
/// Tables whose keys are the user's own names, with what each entry is: an override changes an entry, it makes none.
const NAMED: [(&str, &str); 2] = [("parameters", "parameter"), ("random", "random field")];
/// Faults listed before the rest is only counted.
const LISTED: usize = 100;

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Place {
    /// Bytes of the deck's text.
    Text(Range<usize>),
    /// The override of that number.
    Override(usize),
}

/// A value and its place.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub place: Place,
    pub value: Value,
}

/// A TOML value.
#[derive(Debug, Clone)]
pub(super) enum Value {
    String(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Date(toml::value::Datetime),
    Array(Vec<Node>),
    Table(Table),
}

/// Keys with their places and values, in the deck's order.
pub(super) type Table = IndexMap<String, (Place, Node)>;

/// A fault before its place is turned into a line and a column.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    pub place: Place,
    pub key: String,
    pub message: String,
}

/// The text of a deck and its tree.
#[derive(Debug, Clone)]
pub(super) struct Document {
    name: String,
    text: String,
    overrides: Vec<String>,
    pub root: Node,
}

impl Document {
    /// Parses a deck and applies overrides `key.path=value`.
    pub(super) fn parse(text: &str, name: &str, overrides: &[String]) -> Result<Self, Vec<Diagnostic>> {
        let mut document = Self {
            name: name.into(),
            text: text.into(),
            overrides: overrides.to_vec(),
            root: Node { place: Place::Text(0..0), value: Value::Table(Table::new()) },
        };
        let (table, errors) = DeTable::parse_recoverable(text);
        // Only the first: those after it mostly follow from it.
        let mut faults: Vec<Fault> = errors
            .iter()
            .take(1)
            .map(|error| Fault {
                place: Place::Text(error.span().unwrap_or(0..0)),
                key: String::new(),
                message: format!("not valid TOML: {}", error.message()),
            })
            .collect();
        if faults.is_empty() {
            let at = |span| Place::Text(span);
            let mut root = Node {
                place: Place::Text(0..0),
                value: convert(DeValue::Table(table.into_inner()), 0..0, &at, "", &mut faults),
            };
            for (number, text) in overrides.iter().enumerate() {
                if let Err(message) = set(&mut root, number, text) {
                    faults.push(Fault { place: Place::Override(number), key: String::new(), message });
                }
            }
            document.root = root;
        }
        if faults.is_empty() {
            return Ok(document);
        }
        Err(document.diagnostics(faults))
    }

    /// The file as the user named it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Faults for the user, in the order of the text.
    pub(super) fn diagnostics(&self, mut faults: Vec<Fault>) -> Vec<Diagnostic> {
        faults.sort_by_key(|fault| match &fault.place {
            Place::Text(range) => (0, range.start),
            Place::Override(number) => (1, *number),
        });
        let more = faults.len().saturating_sub(LISTED);
        let mut list: Vec<Diagnostic> =
            faults.into_iter().take(LISTED).map(|fault| self.diagnostic(fault)).collect();
        list.dedup();
        if more > 0 {
            list.push(Diagnostic::new(&self.name, format!("and {more} more faults")));
        }
        list
    }

    /// What is wrong with a key.
    pub(super) fn fault(&self, key: &str, message: impl Into<String>) -> Error {
        let (node, key) = self.find(key);
        let fault = Fault { place: node.place.clone(), key, message: message.into() };
        Error::Input(self.diagnostics(vec![fault]))
    }

    fn diagnostic(&self, fault: Fault) -> Diagnostic {
        let Fault { place, key, message } = fault;
        match place {
            Place::Text(range) => {
                let before = self.text.get(..range.start).unwrap_or(&self.text);
                let line = before.matches('\n').count() + 1;
                let column = before.rsplit('\n').next().map_or(0, |start| start.chars().count()) + 1;
                Diagnostic { file: self.name.clone(), position: Some((line, column)), key, message }
            }
            Place::Override(number) => {
                let text = self.overrides.get(number).map_or("", String::as_str);
                Diagnostic { file: format!("--set {text}"), position: None, key, message }
            }
        }
    }

    /// The node at a path such as `physics[0].boundary[2].marker` or `physics.heat.source`, or the
    /// nearest one above it, with the path spelled with numbers.
    pub(super) fn find(&self, path: &str) -> (&Node, String) {
        let (mut node, mut exact, mut spelled) = (&self.root, true, String::new());
        for segment in segments(path) {
            let next = if exact { node.child(&segment) } else { None };
            match next {
                Some((child, name)) => {
                    join(&mut spelled, &name);
                    node = child;
                }
                None => {
                    exact = false;
                    join(&mut spelled, &segment);
                }
            }
        }
        (node, spelled)
    }

    /// Whether there is a value at a path.
    pub(super) fn has(&self, path: &str) -> bool {
        let mut node = Some(&self.root);
        for segment in segments(path) {
            node = node.and_then(|node| node.child(&segment)).map(|(child, _)| child);
        }
        node.is_some()
    }

    /// The place of byte `offset` of a string value, as well as it can be told from the text.
    pub(super) fn inside(&self, node: &Node, offset: usize) -> Place {
        match (&node.place, &node.value) {
            (Place::Text(range), Value::String(value)) => {
                let raw = self.text.get(range.clone()).unwrap_or("");
                let start = raw.find(value.as_str()).map_or(range.start, |at| range.start + at + offset);
                Place::Text(start..range.end)
            }
            (place, _) => place.clone(),
        }
    }
}

impl Node {
    /// The entries of a table; none for other values.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        match &self.value {
            Value::Table(table) => table.get(key).map(|(_, node)| node),
            _ => None,
        }
    }

    /// The child a path's segment means: a key, `[number]` of an array, or the array's table of that name.
    fn child(&self, segment: &str) -> Option<(&Node, String)> {
        match &self.value {
            Value::Table(table) => table.get(segment).map(|(_, node)| (node, segment.to_string())),
            Value::Array(list) => {
                let number = position(list, segment)?;
                list.get(number).map(|node| (node, format!("[{number}]")))
            }
            _ => None,
        }
    }

    /// The value for serde.
    pub(super) fn to_toml(&self) -> toml::Value {
        match &self.value {
            Value::String(text) => toml::Value::String(text.clone()),
            Value::Integer(value) => toml::Value::Integer(*value),
            Value::Float(value) => toml::Value::Float(*value),
            Value::Boolean(value) => toml::Value::Boolean(*value),
            Value::Date(value) => toml::Value::Datetime(*value),
            Value::Array(list) => toml::Value::Array(list.iter().map(Node::to_toml).collect()),
            Value::Table(table) => {
                toml::Value::Table(table.iter().map(|(k, (_, node))| (k.clone(), node.to_toml())).collect())
            }
        }
    }
}

/// Adds a segment to a path.
pub(super) fn join(path: &mut String, segment: &str) {
    if !path.is_empty() && !segment.starts_with('[') {
        path.push('.');
    }
    path.push_str(segment);
}

/// The parts of a path: keys, and numbers in brackets.
fn segments(path: &str) -> impl Iterator<Item = String> {
    let mut spread = String::new();
    for character in path.chars() {
        let _ = match character {
            '[' => write!(spread, ".["),
            other => write!(spread, "{other}"),
        };
    }
    let parts: Vec<String> =
        spread.split('.').map(|s| s.trim().to_string()).filter(|s| !s.is_empty()).collect();
    parts.into_iter()
}

/// The entry of an array that `[2]`, `2` or the entry's `name` means.
fn position(list: &[Node], segment: &str) -> Option<usize> {
    let digits = segment.strip_prefix('[').and_then(|s| s.strip_suffix(']')).unwrap_or(segment);
    if let Ok(number) = digits.parse() {
        return Some(number);
    }
    // The default name of a physics is its model's.
    list.iter().position(|entry| {
        let name = entry.get("name").or_else(|| entry.get("model"));
        matches!(name.map(|n| &n.value), Some(Value::String(text)) if text == segment)
    })
}

/// Copies a parsed value; numbers that do not fit are faults.
fn convert(
    value: DeValue,
    span: Range<usize>,
    place: &dyn Fn(Range<usize>) -> Place,
    path: &str,
    faults: &mut Vec<Fault>,
) -> Value {
    let mut number = |message: String| {
        faults.push(Fault { place: place(span.clone()), key: path.to_string(), message });
        Value::Integer(0)
    };
    match value {
        DeValue::String(text) => Value::String(text.into_owned()),
        DeValue::Integer(integer) => match i64::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(value) => Value::Integer(value),
            Err(_) => number(format!("the whole number {integer} is too large")),
        },
        DeValue::Float(float) => match float.as_str().parse::<f64>() {
            Ok(value) if value.is_finite() => Value::Float(value),
            _ => number(format!("expected a finite number, found {float}")),
        },
        DeValue::Boolean(value) => Value::Boolean(value),
        DeValue::Datetime(value) => Value::Date(value),
        DeValue::Array(list) => Value::Array(
            list.into_iter()
                .enumerate()
                .map(|(i, entry)| {
                    let span = entry.span();
                    let value =
                        convert(entry.into_inner(), span.clone(), place, &format!("{path}[{i}]"), faults);
                    Node { place: place(span), value }
                })
                .collect(),
        ),
        DeValue::Table(table) => Value::Table(
            table
                .into_iter()
                .map(|(key, entry)| {
                    let (key_place, span) = (place(key.span()), entry.span());
                    let key = key.into_inner().into_owned();
                    let mut path = path.to_string();
                    join(&mut path, &key);
                    let value = convert(entry.into_inner(), span.clone(), place, &path, faults);
                    (key, (key_place, Node { place: place(span), value }))
                })
                .collect(),
        ),
    }
}

/// Applies one `key.path=value`; a value that is no TOML counts as a string.
fn set(root: &mut Node, number: usize, text: &str) -> Result<(), String> {
    let place = Place::Override(number);
    let (path, value) = text.split_once('=').ok_or("expected key.path=value")?;
    let path: Vec<String> = segments(path).collect();
    if path.len() > MOST_PARTS {
        return Err(format!("the key has more than {MOST_PARTS} parts"));
    }
    let value = parse_value(value.trim(), &place)?;
    if let [table, name, ..] = path.as_slice() {
        is_known(root, table, name)?;
    }
    let (last, above) = path.split_last().ok_or("expected key.path=value")?;
    let mut node = root;
    for segment in above {
        node = match &mut node.value {
            Value::Table(table) => {
                let missing =
                    || (place.clone(), Node { place: place.clone(), value: Value::Table(Table::new()) });
                &mut table.entry(segment.clone()).or_insert_with(missing).1
            }
            Value::Array(list) => entry(list, segment)?,
            _ => return Err(format!("\"{segment}\" is not inside a table")),
        };
    }
    match &mut node.value {
        Value::Table(table) => match table.get_mut(last) {
            // A number for a parameter with a range sets its default.
            Some((_, Node { value: Value::Table(parameter), .. }))
                if above == ["parameters"] && !matches!(value.value, Value::Table(_)) =>
            {
                parameter.insert("default".into(), (place, value));
            }
            _ => {
                table.insert(last.clone(), (place, value));
            }
        },
        Value::Array(list) => *entry(list, last)? = value,
        _ => return Err(format!("\"{last}\" is not inside a table")),
    }
    Ok(())
}

/// Refuses a name that a table of the user's own names does not hold: the schema would take it for a new one.
fn is_known(root: &Node, table: &str, name: &str) -> Result<(), String> {
    let Some((_, what)) = NAMED.iter().find(|(named, _)| *named == table) else { return Ok(()) };
    let known: Vec<&str> = match root.get(table).map(|node| &node.value) {
        Some(Value::Table(entries)) => entries.keys().map(String::as_str).collect(),
        _ => Vec::new(),
    };
    if known.contains(&name) {
        return Ok(());
    }
    Err(format!("the deck has no {what} \"{name}\"{}", did_you_mean(name, &known, &format!("{what}s"))))
}

fn entry<'a>(list: &'a mut [Node], segment: &str) -> Result<&'a mut Node, String> {
    let length = list.len();
    let names: Vec<String> = list
        .iter()
        .filter_map(|node| match &node.get("name").or_else(|| node.get("model"))?.value {
            Value::String(name) => Some(name.clone()),
            _ => None,
        })
        .collect();
    position(list, segment).and_then(|i| list.get_mut(i)).ok_or_else(|| {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let hint = if names.is_empty() { String::new() } else { did_you_mean(segment, &names, "names") };
        format!("no entry \"{segment}\" in a list of {length}{hint}")
    })
}

fn parse_value(text: &str, place: &Place) -> Result<Node, String> {
    let line = format!("value = {text}");
    let mut faults = Vec::new();
    let Ok(table) = DeTable::parse(&line) else {
        return Ok(Node { place: place.clone(), value: Value::String(text.into()) });
    };
    let tree = convert(DeValue::Table(table.into_inner()), 0..0, &|_| place.clone(), "", &mut faults);
    match (faults.pop(), tree) {
        (Some(fault), _) => Err(fault.message),
        (None, Value::Table(mut tree)) if tree.len() == 1 => {
            tree.pop().map(|(_, (_, node))| node).ok_or_else(|| "no value".into())
        }
        _ => Ok(Node { place: place.clone(), value: Value::String(text.into()) }),
    }
}
