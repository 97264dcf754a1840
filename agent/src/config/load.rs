//! Reads a configuration: text, tree, environment, schema, checks. Every step reports and the next still runs.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use toml::de::DeTable;

use super::env::Environment;
use super::problem::{Location, Problems};
use super::report::Report;
use super::tree::{Kind, Node};
use super::{Config, schema, shape, validate};

/// Reads the configuration file at `path`, with the environment over it. Relative paths in it start at its
/// folder.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load(path: &Path, environment: &Environment) -> Result<Config, Problems> {
    load_with_files(path, environment).0
}

/// Reads a configuration from its text. `name` is what problems call the file, `base` is where relative paths
/// start.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load_text(
    text: &str,
    name: &str,
    base: &Path,
    environment: &Environment,
) -> Result<Config, Problems> {
    read_text(text, name, base, environment).0
}

/// [`load`], and the files and folders that the configuration refers to, as far as it can be read at all.
pub(super) fn load_with_files(
    path: &Path,
    environment: &Environment,
) -> (Result<Config, Problems>, BTreeSet<PathBuf>) {
    let name = path.display().to_string();
    let text = validate::read_file(path)
        .map_err(|error| format!("cannot be read: {error}"))
        .and_then(|content| {
            String::from_utf8(content).map_err(|error| {
                let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
                format!(
                    "not UTF-8 on line {}",
                    before.iter().filter(|&&byte| byte == b'\n').count() + 1
                )
            })
        });
    match text {
        Ok(text) => read_text(
            &text,
            &name,
            path.parent().unwrap_or_else(|| Path::new("")),
            environment,
        ),
        Err(what) => (Err(Problems::of_file(&name, what)), BTreeSet::new()),
    }
}

fn read_text(
    text: &str,
    name: &str,
    base: &Path,
    environment: &Environment,
) -> (Result<Config, Problems>, BTreeSet<PathBuf>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut root = Node::from_file(&table);
    let mut report = Report::new(text);
    root.overlay(environment, &report);
    if !errors.is_empty() {
        return (
            Err(syntax_problems(&errors, &root, report, name)),
            BTreeSet::new(),
        );
    }
    let fitted = shape::fit(schema::json_schema(), &root, "", &mut report).unwrap_or_default();
    let files = validate::Files::new(base);
    let config = match serde_json::from_value(fitted) {
        Ok(file) => validate::validate(&file, &files, &report.root()),
        Err(_) => {
            // The schema is made from the types, so what fits one fits the other.
            report.add(None, "", "does not fit the configuration's own types", None);
            None
        }
    };
    if config.is_none() && !report.has_problems() {
        report.add(None, "", "is not sound, and no check can say why", None);
    }
    let outcome = report.finish(name).and_then(|warnings| match config {
        Some(config) => Ok(Config { warnings, ..config }),
        None => Err(Problems::of_file(name, "is not sound".to_owned())),
    });
    (outcome, files.into_asked())
}

/// What is wrong with a file that is not TOML. What the parser could make of the rest is checked against the
/// schema as well, unless a broken header has left it unclear what belongs where.
fn syntax_problems(
    errors: &[toml::de::Error],
    root: &Node,
    mut report: Report<'_>,
    name: &str,
) -> Problems {
    let mut broken_lines = HashSet::new();
    let mut broken_header = false;
    let syntax = Report::new(report.text());
    for error in errors {
        let offset = error.span().map_or(0, |span| span.start);
        if let Location::Place { line, .. } = report.place(offset) {
            broken_header |= report.line(line).trim_start().starts_with('[');
            // One mistake makes the parser stumble more than once; the first time is the telling one.
            if broken_lines.insert(line) {
                syntax.add(
                    Some(&super::tree::Origin::Offset(offset)),
                    "",
                    error.message(),
                    None,
                );
            }
        }
    }
    if !broken_header && matches!(root.kind, Kind::Table(_)) {
        shape::fit(schema::json_schema(), root, "", &mut report);
    }
    let found = report
        .into_problems()
        .into_iter()
        .filter(|problem| match problem.location {
            Location::Place { line, .. } => {
                !broken_lines.contains(&line) && problem.what != shape::MISSING
            }
            Location::Variable(_) => true,
            Location::File => false,
        });
    Problems::new(
        name,
        syntax.into_problems().into_iter().chain(found).collect(),
    )
}
