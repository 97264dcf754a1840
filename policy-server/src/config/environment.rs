//! Settings from environment variables, for containers.
//!
//! `DOORWARD_POLICY_SERVER__LISTEN__ADDRESS=0.0.0.0:8444` sets `address` of `[listen]`; a number between
//! two double underscores counts array elements from 0. A value is TOML, or else a text. Secrets are
//! given as files, here as in the configuration.

use toml::{Table, Value};

/// What a variable's name starts with.
pub const PREFIX: &str = "DOORWARD_POLICY_SERVER__";

/// `table` with the variables over it.
///
/// # Errors
/// The name of a variable that leads nowhere.
pub(super) fn overlay(
    mut table: Table,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<Table, String> {
    let mut variables: Vec<_> = variables.into_iter().collect();
    variables.sort();
    for (name, text) in variables {
        let keys = name
            .strip_prefix(PREFIX)
            .unwrap_or(&name)
            .to_ascii_lowercase();
        let keys: Vec<&str> = keys.split("__").collect();
        set(&mut table, &keys, value(&text)).ok_or(name)?;
    }
    Ok(table)
}

/// A value as TOML reads it, or else the text itself.
fn value(text: &str) -> Value {
    let document = format!("value = {text}").parse::<Table>();
    let parsed = document.ok().filter(|table| table.len() == 1);
    let parsed = parsed.and_then(|mut table| table.remove("value"));
    parsed.unwrap_or_else(|| Value::String(text.to_owned()))
}

fn set(table: &mut Table, keys: &[&str], value: Value) -> Option<()> {
    let (key, rest) = keys.split_first().filter(|(key, _)| !key.is_empty())?;
    let Some((next, below)) = rest.split_first() else {
        table.insert((*key).to_owned(), value);
        return Some(());
    };
    let Ok(index) = next.parse::<usize>() else {
        let inner = table.entry(*key).or_insert_with(|| Table::new().into());
        return set(inner.as_table_mut()?, rest, value);
    };
    let array = table
        .entry(*key)
        .or_insert_with(|| Value::Array(Vec::new()));
    let array = array.as_array_mut()?;
    if index == array.len() {
        array.push(if below.is_empty() {
            value.clone()
        } else {
            Table::new().into()
        });
    }
    let element = array.get_mut(index)?;
    if below.is_empty() {
        *element = value;
        return Some(());
    }
    set(element.as_table_mut()?, below, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overlaid(text: &str, variables: &[(&str, &str)]) -> Result<String, String> {
        let named = variables
            .iter()
            .map(|(name, value)| (format!("{PREFIX}{name}"), (*value).to_owned()));
        overlay(text.parse().unwrap(), named).map(|table| table.to_string())
    }

    #[test]
    fn variables_set_keys_tables_and_elements() {
        let text = "users_file = \"a\"\n[[agents]]\nname = \"one\"\n";
        let variables = [
            ("USERS_FILE", "/etc/users.toml"),
            ("LISTEN__ADDRESS", "0.0.0.0:1"),
            ("AGENTS__0__SECRET_FILE", "s"),
            ("AGENTS__1__NAME", "two"),
            ("LIST__0__WORDS", "[\"one\"]"),
        ];
        let table: Table = overlaid(text, &variables).unwrap().parse().unwrap();
        assert_eq!(table["users_file"].as_str(), Some("/etc/users.toml"));
        assert_eq!(table["listen"]["address"].as_str(), Some("0.0.0.0:1"));
        assert_eq!(table["agents"][0]["secret_file"].as_str(), Some("s"));
        assert_eq!(table["agents"][1]["name"].as_str(), Some("two"));
        assert_eq!(table["list"][0]["words"][0].as_str(), Some("one"));
    }

    #[test]
    fn a_variable_that_leads_nowhere_is_named() {
        for name in ["", "USERS_FILE__X", "AGENTS__7__NAME", "__X"] {
            let error = overlaid("users_file = \"a\"\nagents = []\n", &[(name, "1")]).unwrap_err();
            assert_eq!(error, format!("{PREFIX}{name}"));
        }
    }
}
