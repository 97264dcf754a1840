//! Files of names and values: an agent configuration as lines of `Name="value"`, and properties files.

use super::source::{Malformed, Setting, Source};

/// The longest name; the longest that is known has 70 characters.
const MAX_NAME: usize = 200;

/// How a file of names and values is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Syntax {
    /// `Name="value"` or name, tab and value; a line that starts with `#` is switched off. As local
    /// configuration files of classic agents are, and exports of their objects.
    Aco,
    /// `name = value` or `name: value`, comments with `#` or `!`, as properties files of Java are.
    Properties,
}

/// The settings of a file, in its order.
///
/// # Errors
/// Every line that cannot be read.
pub(super) fn read(source: &Source, syntax: Syntax) -> Result<Vec<Setting>, Vec<Malformed>> {
    let mut settings = Vec::new();
    let mut malformed = Vec::new();
    for (index, line) in source.text.lines().enumerate() {
        let number = index + 1;
        let line = line.trim();
        let is_comment =
            line.starts_with('#') || syntax == Syntax::Properties && line.starts_with('!');
        if line.is_empty() || is_comment {
            continue;
        }
        match setting(line, syntax) {
            Ok((name, index, value)) => settings.push(Setting {
                name,
                index,
                value,
                place: source.at(number),
            }),
            Err(what) => malformed.push(source.malformed(number, what)),
        }
    }
    if malformed.is_empty() {
        Ok(settings)
    } else {
        Err(malformed)
    }
}

type NameIndexValue = (String, Option<String>, String);

fn setting(line: &str, syntax: Syntax) -> Result<NameIndexValue, &'static str> {
    if line.chars().any(|char| char.is_control() && char != '\t') {
        return Err("has a control character");
    }
    let (name, value) = match syntax {
        Syntax::Aco => line.split_once('=').or_else(|| line.split_once('\t')),
        Syntax::Properties => at_separator(line),
    }
    .ok_or("no `=` between a name and a value")?;
    let (name, index) = name_and_index(name.trim())?;
    let value = match syntax {
        Syntax::Aco => unquoted(value.trim())?,
        Syntax::Properties => continued(value.trim())?,
    };
    Ok((name.to_owned(), index.map(str::to_owned), value.to_owned()))
}

/// Splits at the first `=` or `:` that is not in brackets.
fn at_separator(line: &str) -> Option<(&str, &str)> {
    let mut in_brackets = false;
    let at = line.find(|char| {
        match char {
            '[' => in_brackets = true,
            ']' => in_brackets = false,
            _ => {}
        }
        !in_brackets && matches!(char, '=' | ':')
    })?;
    Some((&line[..at], &line[at + 1..]))
}

fn name_and_index(text: &str) -> Result<(&str, Option<&str>), &'static str> {
    let (name, index) = match text.split_once('[') {
        Some((name, rest)) => {
            let index = rest
                .strip_suffix(']')
                .ok_or("a bracket without its partner")?;
            (name.trim_end(), Some(index.trim()))
        }
        None => (text, None),
    };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(is_plain) {
        return Err("what stands before the `=` is not the name of a setting");
    }
    if index.is_some_and(|index| index.contains('\\')) {
        return Err("a backslash in a name has two readings: write the name without it");
    }
    Ok((name, index))
}

fn unquoted(value: &str) -> Result<&str, &'static str> {
    match value.strip_prefix('"') {
        Some(rest) => rest
            .strip_suffix('"')
            .ok_or("a quotation mark without its partner"),
        None => Ok(value),
    }
}

/// Agents in Java read a backslash at the end as "goes on below"; others do not, and what is below could be
/// swallowed.
fn continued(value: &str) -> Result<&str, &'static str> {
    if value.ends_with('\\') {
        Err("ends in a backslash, which has two readings: write the value on one line")
    } else {
        Ok(value)
    }
}
