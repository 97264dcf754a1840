//! The few filters that sessions can be listed by.

/// `realm eq "/"`, or with `username eq "demo"` and `and` before or after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Filter {
    pub(super) realm: String,
    pub(super) user: Option<String>,
}

impl Filter {
    /// `None` if it is none of those.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (mut realm, mut user) = (None, None);
        let mut rest = without_parentheses(text.trim());
        loop {
            let (field, value, after) = comparison(rest)?;
            let place = match field {
                "realm" => &mut realm,
                "username" => &mut user,
                _ => return None,
            };
            if place.replace(value).is_some() {
                return None;
            }
            if after.is_empty() {
                break;
            }
            rest = word(after)
                .filter(|(word, _)| word.eq_ignore_ascii_case("and"))?
                .1;
        }
        Some(Self {
            realm: crate::services::am::paths::realm(&realm?),
            user,
        })
    }
}

fn without_parentheses(text: &str) -> &str {
    let inner = text
        .strip_prefix('(')
        .and_then(|text| text.strip_suffix(')'));
    inner.map_or(text, str::trim)
}

/// `field eq "value"`, and what follows.
fn comparison(text: &str) -> Option<(&str, String, &str)> {
    let (field, rest) = word(text)?;
    let (_, rest) = word(rest).filter(|(word, _)| word.eq_ignore_ascii_case("eq"))?;
    let mut value = String::new();
    let mut characters = rest.strip_prefix('"')?.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((field, value, rest[at + 2..].trim_start())),
            '\\' => value.push(characters.next()?.1),
            other => value.push(other),
        }
    }
    None
}

/// What stands before the next blank, and what follows.
fn word(text: &str) -> Option<(&str, &str)> {
    let (word, rest) = text.split_once(' ')?;
    Some((word, rest.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_names_a_realm_and_perhaps_a_user() {
        for (text, realm, user) in [
            (r#"realm eq "/""#, "/", None),
            (r#" ( realm  EQ "/alpha" ) "#, "/alpha", None),
            (r#"username eq "demo" and realm eq "/""#, "/", Some("demo")),
            (
                r#"realm eq "/" AND username eq "a \"b\" \\c""#,
                "/",
                Some(r#"a "b" \c"#),
            ),
            (r#"realm eq "alpha""#, "/alpha", None),
        ] {
            let expected = Filter {
                realm: realm.into(),
                user: user.map(str::to_owned),
            };
            assert_eq!(Filter::read(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn anything_else_is_no_filter() {
        for text in [
            "",
            "true",
            "realm",
            "realm eq",
            "realm eq /",
            r#"realm eq "/"#,
            r#"realm eq "/\"#,
            r#"realm co "/""#,
            r#"username eq "demo""#,
            r#"realm eq "/" or username eq "demo""#,
            r#"realm eq "/" and realm eq "/""#,
            r#"realm eq "/" and"#,
            r#"realm eq "/" x"#,
            r#"name eq "x" and realm eq "/""#,
        ] {
            assert_eq!(Filter::read(text), None, "{text}");
        }
    }
}
