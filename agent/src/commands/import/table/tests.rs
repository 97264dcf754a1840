//! What holds for both tables.

use std::collections::HashSet;

use super::*;

/// Values of every kind that a setting may have.
const VALUES: [&str; 9] = [
    "yes",
    "no",
    "",
    "17",
    "/a/b",
    "a.example.com",
    "a,b",
    "GET,/a",
    "\u{1f512}*?",
];

fn setting(name: &str, value: &str) -> Setting {
    Setting {
        name: name.to_owned(),
        index: Some("0".to_owned()),
        value: value.to_owned(),
        place: Place::Default,
    }
}

/// Every name is there once, and whatever its value is, it is taken over or listed.
pub(in super::super) fn assert_that_nothing_is_dropped(
    table: Table,
    ignore_case: bool,
    known: &str,
) {
    let folded = |name: &str| {
        if ignore_case {
            name.to_ascii_lowercase()
        } else {
            name.to_owned()
        }
    };
    let names: HashSet<String> = table.iter().map(|(name, _)| folded(name)).collect();
    assert_eq!(names.len(), table.len(), "a name is there twice");
    for name in known.split_whitespace() {
        assert!(names.contains(&folded(name)), "{name} is not in the table");
    }
    for (name, _) in table {
        for value in VALUES {
            let mut draft = Draft::default();
            let settings = Settings::new(vec![setting(name, value)], ignore_case);
            settings.apply(table, &[], &mut draft).unwrap();
            let listed = draft.left.iter().any(|left| left.what.starts_with(name));
            let waits = draft.deferred > 0;
            assert!(draft.taken > 0 || listed || waits, "{name} = {value}");
            for left in &draft.left {
                assert!(!left.reason.contains("nothing is known"), "{name}");
                assert!(!left.reason.contains("not understood"), "{name} = {value}");
                assert!(!left.reason.is_empty());
            }
        }
    }
}

#[test]
fn a_name_that_is_not_in_the_table_is_listed_as_a_danger() {
    const TABLE: Table = &[("Known", Fate::Listed(Kind::Nothing, "known"))];
    let settings = Settings::new(vec![setting("known", "x"), setting("Known", "x")], false);
    let mut draft = Draft::default();
    settings.apply(TABLE, &[], &mut draft).unwrap();
    let kinds: Vec<Kind> = draft.left.iter().map(|left| left.kind).collect();
    assert_eq!(kinds, [Kind::Weaker, Kind::Nothing]);
}
