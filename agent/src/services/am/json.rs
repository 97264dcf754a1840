//! JSON: written in a given order, and read without two readings.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use zeroize::Zeroize as _;

/// Objects and arrays within each other at most: callbacks need five.
const MAX_DEPTH: usize = 16;

/// What is answered: clients have seen members in one order for years.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    Value(Value),
    Array(Vec<Self>),
    Object(Vec<(Cow<'static, str>, Self)>),
}

/// An object with its members in this order.
macro_rules! object {
    ($($name:literal: $value:expr),* $(,)?) => {
        $crate::services::am::json::Json::Object(vec![
            $((std::borrow::Cow::Borrowed($name), $crate::services::am::json::Json::from($value))),*
        ])
    };
}
pub(super) use object;

impl Json {
    pub(super) const NULL: Self = Self::Value(Value::Null);

    /// An object with the members of another that it does not have itself.
    pub(super) fn and(self, more: Self) -> Self {
        match (self, more) {
            (Self::Object(mut members), Self::Object(more)) => {
                for (name, value) in more {
                    if members.iter().all(|(known, _)| *known != name) {
                        members.push((name, value));
                    }
                }
                Self::Object(members)
            }
            (this, _) => this,
        }
    }

    /// Only the members of an object that are named, with or without a leading slash; all if none is.
    pub(super) fn only(self, names: &[&str]) -> Self {
        let named = |member: &str| {
            let mut names = names.iter();
            names.any(|name| name.strip_prefix('/').unwrap_or(name) == member)
        };
        match self {
            Self::Object(members) if !names.is_empty() => Self::Object(
                members
                    .into_iter()
                    .filter(|(name, _)| named(name))
                    .collect(),
            ),
            other => other,
        }
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Value(value) => value.serialize(serializer),
            Self::Array(items) => serializer.collect_seq(items),
            Self::Object(members) => {
                serializer.collect_map(members.iter().map(|(name, value)| (name, value)))
            }
        }
    }
}

macro_rules! from_plain {
    ($($type:ty),*) => {
        $(impl From<$type> for Json {
            fn from(value: $type) -> Self {
                Self::Value(value.into())
            }
        })*
    };
}
from_plain!(&str, String, bool, u64, i64, u16, Vec<String>, Value);

impl From<Vec<Self>> for Json {
    fn from(items: Vec<Self>) -> Self {
        Self::Array(items)
    }
}

/// Names and values, by name.
impl<'m, I> FromIterator<(&'m String, I)> for Json
where
    Self: From<I>,
{
    fn from_iter<T: IntoIterator<Item = (&'m String, I)>>(members: T) -> Self {
        let members = members.into_iter();
        Self::Object(
            members
                .map(|(name, value)| (Cow::Owned(name.clone()), value.into()))
                .collect(),
        )
    }
}

/// What a client sent: it may hold passwords and tokens, so it is wiped and never printed.
pub(super) struct Sent(Value);

impl fmt::Debug for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(members) => members.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

impl Sent {
    /// Nothing was sent.
    pub(super) const NOTHING: Self = Self(Value::Null);

    /// Reads one value, in which no member comes twice. `None` if it is not that.
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        let mut deserializer = serde_json::Deserializer::from_slice(text);
        let value = Strict(MAX_DEPTH).deserialize(&mut deserializer).ok()?;
        deserializer.end().ok()?;
        Some(Self(value))
    }

    pub(super) fn object(&self) -> Option<&Map<String, Value>> {
        self.0.as_object()
    }

    /// A member of the object that was sent.
    pub(super) fn member(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// A member that is text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.member(name)?.as_str()
    }

    /// A member that is a list of texts.
    pub(super) fn texts(&self, name: &str) -> Option<Vec<&str>> {
        self.member(name)?
            .as_array()?
            .iter()
            .map(Value::as_str)
            .collect()
    }
}

/// Reads a value of at most this depth.
struct Strict(usize);

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(self.inner()?)? {
            items.push(item);
        }
        Ok(items.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            let value = map.next_value_seed(self.inner()?)?;
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("a member comes twice"));
            }
        }
        Ok(members.into())
    }
}

impl Strict {
    fn inner<E: Error>(&self) -> Result<Self, E> {
        let deeper = self.0.checked_sub(1).map(Self);
        deeper.ok_or_else(|| E::custom("too deep"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_their_order() {
        let json = object! { "z": "1", "a": object! { "y": 2_u64, "b": true }, "l": vec![Json::from("x")] };
        let text = serde_json::to_string(&json).unwrap();
        assert_eq!(text, r#"{"z":"1","a":{"y":2,"b":true},"l":["x"]}"#);
        let text = serde_json::to_string(&json.only(&["/a", "l", "none"])).unwrap();
        assert_eq!(text, r#"{"a":{"y":2,"b":true},"l":["x"]}"#);
    }

    #[test]
    fn what_has_two_readings_or_no_end_is_not_read() {
        for text in [
            "",
            "{",
            "{} {}",
            r#"{"a":1,"a":2}"#,
            r#"{"a":{"b":1,"b":1}}"#,
            r#"{"a":1,"\u0061":2}"#,
            "nul",
            "\u{1}",
        ] {
            assert!(Sent::read(text.as_bytes()).is_none(), "{text}");
        }
        assert!(Sent::read(&[b'"', 0xff, b'"']).is_none());
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert!(Sent::read(nested(MAX_DEPTH).as_bytes()).is_some());
        assert!(Sent::read(nested(MAX_DEPTH + 1).as_bytes()).is_none());
        let sent = Sent::read(br#"{"a":"x","l":["y"],"n":[1]}"#).unwrap();
        assert_eq!(sent.text("a"), Some("x"));
        assert_eq!(sent.texts("l"), Some(vec!["y"]));
        assert_eq!(sent.texts("n"), None);
        assert!(!format!("{sent:?}").contains('x'));
    }
}
