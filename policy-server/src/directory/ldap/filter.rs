//! Search filters (RFC 4515) with places for values.

use std::fmt::Write as _;

use ldap3::ldap_escape;

/// Puts values in the place of their names in braces, so escaped that none can be more than a value.
pub(super) fn fill(template: &str, values: &[(&str, &str)]) -> String {
    replace(template, |word| {
        let found = values.iter().find(|(name, _)| *name == word);
        // A name that is not known would not have passed the check of the configuration.
        found.map_or_else(String::new, |(_, value)| ldap_escape(*value).into_owned())
    })
}

/// The filter with anything at all in the places of values.
pub(super) fn any(template: &str) -> String {
    replace(template, |_| String::from("*"))
}

/// Each value is looked at once: braces in it are only characters.
fn replace(template: &str, value: impl Fn(&str) -> String) -> String {
    let mut filled = String::with_capacity(template.len() + 64);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (word, after) = after.split_once('}').unwrap_or((after, ""));
        filled.push_str(before);
        filled.push_str(&value(word));
        rest = after;
    }
    filled + rest
}

/// That an attribute has a value, which need not be a text.
pub(super) fn equals(attribute: &str, value: &[u8]) -> String {
    let mut filter = format!("({attribute}=");
    for byte in value {
        if byte.is_ascii_alphanumeric() {
            filter.push(char::from(*byte));
        } else {
            let _infallible = write!(filter, "\\{byte:02x}");
        }
    }
    filter + ")"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_never_more_than_a_value() {
        for (name, expected) in [
            ("alice", "(uid=alice)"),
            ("*", "(uid=\\2a)"),
            ("*)(uid=*", "(uid=\\2a\\29\\28uid=\\2a)"),
            ("a\\b\0", "(uid=a\\5cb\\00)"),
            ("{name}", "(uid={name})"),
            ("ü", "(uid=ü)"),
        ] {
            let filter = fill("(uid={name})", &[("name", name)]);
            assert_eq!(filter, expected);
            assert!(ldap3::parse_filter(&filter).is_ok(), "{filter}");
        }
        let filter = fill("(|(uid={name})(mail={name}))", &[("name", "a")]);
        assert_eq!(filter, "(|(uid=a)(mail=a))");
        assert_eq!(any("(&(uid={name})(a=b))"), "(&(uid=*)(a=b))");
        assert_eq!(
            equals("objectGUID", &[0, b'a', b'*', 0xff]),
            "(objectGUID=\\00a\\2a\\ff)"
        );
    }
}
