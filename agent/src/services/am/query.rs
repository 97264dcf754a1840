//! The parameters of the query.

use std::fmt;

use url::form_urlencoded;

use super::error::{Refusal, repeated};

/// Parameters, decoded. A token may be among them, so they are never printed.
pub(super) struct Query(Vec<(String, String)>);

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Query {
    pub(super) fn read(query: Option<&str>) -> Self {
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        Self(pairs.into_owned().collect())
    }

    /// The value of a parameter.
    ///
    /// # Errors
    /// If it is there more than once: two systems could each take another one.
    pub(super) fn one(&self, name: &str) -> Result<Option<&str>, Refusal> {
        let mut values = self.0.iter().filter(|(key, _)| key == name);
        let first = values.next().map(|(_, value)| value.as_str());
        if values.next().is_some() {
            let message = format!(
                "Multiple values provided for the request parameter '{}'",
                repeated(name)
            );
            return Err(Refusal::bad_request(message));
        }
        Ok(first)
    }

    /// Whether a parameter says `true`.
    ///
    /// # Errors
    /// As for [`Query::one`].
    pub(super) fn is_true(&self, name: &str) -> Result<bool, Refusal> {
        let value = self.one(name)?;
        Ok(value.is_some_and(|value| value.eq_ignore_ascii_case("true")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_and_come_once() {
        let query = Query::read(Some("realm=%2Fa&_action=x&noSession=TRUE&_action=y&+b=1"));
        assert_eq!(query.one("realm").unwrap(), Some("/a"));
        assert_eq!(query.one("none").unwrap(), None);
        assert!(query.is_true("noSession").unwrap());
        assert!(!query.is_true("realm").unwrap());
        assert!(query.one("_action").is_err());
    }
}
