//! What an operator wrote, as a tree that remembers where each part came from.

use std::collections::BTreeMap;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::env::Environment;
use super::report::Report;

/// Where a part of the configuration was written.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    /// At a byte offset of the file.
    Offset(usize),
    /// In an environment variable.
    Variable(Arc<str>),
}

/// A value and where it was written.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) origin: Origin,
    pub(super) kind: Kind,
    /// The whole text, if an environment variable gave the value: where a string is wanted, `2024` is one.
    pub(super) text: Option<String>,
}

/// A value.
#[derive(Debug)]
pub(super) enum Kind {
    Text(String),
    Integer(i64),
    Boolean(bool),
    Array(Vec<Node>),
    Table(BTreeMap<String, Entry>),
    /// Something that no setting is made of, described.
    Other(&'static str),
}

/// A key of a table, where it was written, and its value.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: Origin,
    pub(super) node: Node,
}

impl Kind {
    /// What this is, with its article.
    pub(super) const fn describe(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Integer(_) => "an integer",
            Self::Boolean(_) => "a boolean",
            Self::Array(_) => "an array",
            Self::Table(_) => "a table",
            Self::Other(what) => what,
        }
    }
}

impl Node {
    /// The tree of a parsed file.
    pub(super) fn from_file(table: &Spanned<DeTable<'_>>) -> Self {
        let origin = Origin::Offset(table.span().start);
        let kind = table_kind(table.get_ref(), &|span| Origin::Offset(span));
        Self {
            origin,
            kind,
            text: None,
        }
    }

    /// Puts the settings of the environment over this tree.
    pub(super) fn overlay(&mut self, environment: &Environment, report: &Report<'_>) {
        let mut settings: Vec<_> = environment.settings().collect();
        // An array's elements are appended in order: 2 comes before 10.
        settings.sort_by_cached_key(|(_, keys, _)| {
            keys.iter()
                .map(|key| (key.parse::<usize>().ok(), key.clone()))
                .collect::<Vec<_>>()
        });
        for (name, keys, value) in settings {
            let origin = Origin::Variable(name.into());
            let done = match value {
                Some(text) => self.set(&keys, variable_value(text, &origin), &origin),
                None => Err("the value is not UTF-8"),
            };
            if let Err(what) = done {
                report.add(Some(&origin), &keys.join("."), what, None);
            }
        }
    }

    fn set(&mut self, keys: &[String], value: Self, origin: &Origin) -> Result<(), &'static str> {
        let Some((key, rest)) = keys.split_first() else {
            *self = value;
            return Ok(());
        };
        if key.is_empty() {
            return Err("the variable's name does not lead to a key");
        }
        // What does not exist yet becomes an array if it is counted into, else a table.
        let counted = rest
            .first()
            .is_some_and(|next| next.parse::<usize>().is_ok());
        let kind = if counted {
            Kind::Array(Vec::new())
        } else {
            Kind::Table(BTreeMap::new())
        };
        let fresh = Self {
            origin: origin.clone(),
            kind,
            text: None,
        };
        let child = match &mut self.kind {
            Kind::Table(entries) => {
                let entry = entries.entry(key.clone());
                &mut entry
                    .or_insert_with(|| Entry {
                        key: origin.clone(),
                        node: fresh,
                    })
                    .node
            }
            Kind::Array(elements) => {
                let index: usize = key
                    .parse()
                    .map_err(|_| "an array's elements are counted from 0")?;
                if index == elements.len() {
                    elements.push(fresh);
                }
                elements
                    .get_mut(index)
                    .ok_or("an array's elements are counted from 0, without gaps")?
            }
            Kind::Text(_) | Kind::Integer(_) | Kind::Boolean(_) | Kind::Other(_) => {
                return Err("the variable's name leads through a value that is not a table");
            }
        };
        child.set(rest, value, origin)
    }
}

/// The value of an environment variable: TOML if it parses, else the text itself.
fn variable_value(text: &str, origin: &Origin) -> Node {
    let kind = DeValue::parse(text).map_or_else(
        |_| Kind::Text(text.to_owned()),
        |value| value_kind(value.get_ref(), &|_| origin.clone()),
    );
    Node {
        origin: origin.clone(),
        kind,
        text: Some(text.to_owned()),
    }
}

fn table_kind(table: &DeTable<'_>, origin: &dyn Fn(usize) -> Origin) -> Kind {
    let entries = table.iter().map(|(key, value)| {
        let entry = Entry {
            key: origin(key.span().start),
            node: node(value, origin),
        };
        (key.get_ref().to_string(), entry)
    });
    Kind::Table(entries.collect())
}

fn node(value: &Spanned<DeValue<'_>>, origin: &dyn Fn(usize) -> Origin) -> Node {
    Node {
        origin: origin(value.span().start),
        kind: value_kind(value.get_ref(), origin),
        text: None,
    }
}

fn value_kind(value: &DeValue<'_>, origin: &dyn Fn(usize) -> Origin) -> Kind {
    match value {
        DeValue::String(text) => Kind::Text(text.to_string()),
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix()).map_or(
            Kind::Other("an integer of more than 64 bits"),
            Kind::Integer,
        ),
        DeValue::Float(_) => Kind::Other("a number with a fraction"),
        DeValue::Boolean(boolean) => Kind::Boolean(*boolean),
        DeValue::Datetime(_) => Kind::Other("a date or time"),
        DeValue::Array(array) => {
            Kind::Array(array.iter().map(|value| node(value, origin)).collect())
        }
        DeValue::Table(table) => table_kind(table, origin),
    }
}
