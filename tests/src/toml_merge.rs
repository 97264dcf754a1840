//! Configurations are written as differences from a default.

use toml::{Table, Value};

/// Lays `patch` over `base`: tables are merged; of two arrays of tables, those with the same `name` are
/// merged and the others appended; everything else is replaced.
pub fn merge(base: &mut Table, patch: Table) {
    for (key, value) in patch {
        match (base.get_mut(&key), value) {
            (Some(Value::Table(old)), Value::Table(new)) => merge(old, new),
            (Some(Value::Array(old)), Value::Array(new))
                if new.iter().all(|item| name(item).is_some()) =>
            {
                for item in new {
                    merge_named(old, item);
                }
            }
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

fn name(item: &Value) -> Option<&str> {
    item.get("name")?.as_str()
}

fn merge_named(items: &mut Vec<Value>, item: Value) {
    match (items.iter_mut().find(|old| name(old) == name(&item)), item) {
        (Some(Value::Table(old)), Value::Table(new)) => merge(old, new),
        (_, item) => items.push(item),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_merged_and_named_ones_found() {
        let mut base: Table = "a = 1\n[s]\nx = 1\n[[realms]]\nname = \"r\"\nlevel = 1"
            .parse()
            .unwrap();
        let patch = "s.y = 2\n[[realms]]\nname = \"r\"\nlevel = 2\n[[realms]]\nname = \"q\""
            .parse()
            .unwrap();
        merge(&mut base, patch);
        let expected = "a = 1\n[s]\nx = 1\ny = 2\n[[realms]]\nname = \"r\"\nlevel = 2\n[[realms]]\nname = \"q\"";
        assert_eq!(base, expected.parse::<Table>().unwrap());
    }
}
