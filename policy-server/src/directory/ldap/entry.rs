//! An entry as a server sent it, and the user in it.

use std::collections::HashMap;

use ldap3::SearchEntry;
use policy_protocol::{Identity, UserDirectory, hex};

/// Names, ids and distinguished names stand in every session spec, whose length is bounded. In bytes.
const MAX_NAME_LENGTH: usize = 128;
const MAX_DN_LENGTH: usize = 512;
/// Attributes go into every answer about the user, and from there into headers.
const MAX_VALUES: usize = 64;
const MAX_VALUE_LENGTH: usize = 4096;
/// Attributes that are not texts, in Active Directory.
const BINARY: [&str; 2] = ["objectguid", "objectsid"];

/// An entry.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) dn: String,
    /// By attribute in small letters.
    values: HashMap<String, Vec<Vec<u8>>>,
}

impl From<SearchEntry> for Entry {
    fn from(entry: SearchEntry) -> Self {
        let texts = entry.attrs.into_iter().map(|(attribute, values)| {
            let values = values.into_iter().map(String::into_bytes).collect();
            (attribute, values)
        });
        let values = texts.chain(entry.bin_attrs);
        Self {
            dn: entry.dn,
            values: values
                .map(|(attribute, values): (String, Vec<_>)| {
                    (attribute.to_ascii_lowercase(), values)
                })
                .collect(),
        }
    }
}

impl Entry {
    /// The values of an attribute.
    pub(super) fn bytes(&self, attribute: &str) -> &[Vec<u8>] {
        let values = self.values.get(&attribute.to_ascii_lowercase());
        values.map_or(&[], Vec::as_slice)
    }

    /// The values of an attribute that are texts.
    pub(super) fn texts(&self, attribute: &str) -> impl Iterator<Item = &str> {
        let values = self.bytes(attribute).iter();
        values.filter_map(|value| str::from_utf8(value).ok())
    }

    /// The first value of an attribute as one word, in hex if the attribute is not a text.
    fn word(&self, attribute: &str) -> Result<String, String> {
        let value = self.bytes(attribute).first();
        let value = value.ok_or_else(|| format!("there is no {attribute}"))?;
        let word = if is_binary(attribute) {
            hex::encode(value)
        } else {
            String::from_utf8(value.clone()).map_err(|_| format!("{attribute} is not a text"))?
        };
        usable(attribute, word, MAX_NAME_LENGTH)
    }

    /// Who this is.
    ///
    /// # Errors
    /// Why the entry cannot be a user's.
    pub(super) fn identity(
        &self,
        fields: &Fields<'_>,
        directory: &UserDirectory,
    ) -> Result<Identity, String> {
        let mut attributes = std::collections::BTreeMap::new();
        for attribute in fields.attributes {
            // A control character could not go into a header.
            let values = self
                .texts(attribute)
                .filter(|value| !value.contains(char::is_control));
            let values: Vec<_> = values.map(str::to_owned).collect();
            if values.len() > MAX_VALUES
                || values.iter().any(|value| value.len() > MAX_VALUE_LENGTH)
            {
                return Err(format!("{attribute} has too many values or too long ones"));
            }
            if !values.is_empty() {
                attributes.insert(attribute.clone(), values);
            }
        }
        Ok(Identity {
            user_name: self.word(fields.user_name)?,
            user_dn: usable("the distinguished name", self.dn.clone(), MAX_DN_LENGTH)?,
            universal_id: self.word(fields.universal_id)?,
            directory: directory.clone(),
            groups: Vec::new(),
            attributes,
        })
    }
}

/// Which attributes of an entry say what of its user.
pub(super) struct Fields<'a> {
    pub(super) universal_id: &'a str,
    pub(super) user_name: &'a str,
    pub(super) attributes: &'a [String],
}

/// A universal id as the directory has it; nothing if it cannot have it.
pub(super) fn universal_id_bytes(attribute: &str, id: &str) -> Option<Vec<u8>> {
    if !is_binary(attribute) {
        return Some(id.as_bytes().to_vec());
    }
    hex::decode(id)
}

fn is_binary(attribute: &str) -> bool {
    BINARY.contains(&attribute.to_ascii_lowercase().as_str())
}

fn usable(what: &str, text: String, most: usize) -> Result<String, String> {
    if text.is_empty() || text.len() > most || text.contains(char::is_control) {
        return Err(format!(
            "{what} must be 1 to {most} bytes long, without control characters"
        ));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(attributes: &[(&str, &[&[u8]])]) -> Entry {
        let values = attributes.iter().map(|(attribute, values)| {
            let values = values.iter().map(|value| value.to_vec()).collect();
            ((*attribute).to_owned(), values)
        });
        Entry {
            dn: String::from("uid=alice,dc=example"),
            values: values.collect(),
        }
    }

    fn identity(entry: &Entry, universal_id: &str) -> Result<Identity, String> {
        let attributes = [String::from("Mail"), String::from("none")];
        let fields = Fields {
            universal_id,
            user_name: "uid",
            attributes: &attributes,
        };
        entry.identity(&fields, &UserDirectory::default())
    }

    #[test]
    fn a_guid_is_written_in_hex_even_if_its_bytes_are_a_text() {
        let found = entry(&[("uid", &[b"alice"]), ("objectguid", &[b"0123456789abcdef"])]);
        let id = identity(&found, "objectGUID").unwrap().universal_id;
        assert_eq!(id, "30313233343536373839616263646566");
        let bytes = universal_id_bytes("objectGUID", &id);
        assert_eq!(bytes.as_deref(), Some(&b"0123456789abcdef"[..]));
        for id in ["x0", "+1", "é"] {
            assert_eq!(universal_id_bytes("objectGUID", id), None, "{id}");
        }
        assert_eq!(
            universal_id_bytes("uid", "é"),
            Some("é".as_bytes().to_vec())
        );
    }

    #[test]
    fn what_cannot_stand_in_a_session_is_no_user() {
        let good = entry(&[("uid", &[b"alice"]), ("mail", &[b"a@b", b"a\nb", b"\xff"])]);
        let identity_of = identity(&good, "uid").unwrap();
        assert_eq!(identity_of.attributes.len(), 1);
        assert_eq!(identity_of.attributes["Mail"], ["a@b"]);
        let long = [b'x'; MAX_NAME_LENGTH + 1];
        let many = [&b"x"[..]; MAX_VALUES + 1];
        for bad in [
            entry(&[]),
            entry(&[("uid", &[b""])]),
            entry(&[("uid", &[b"a\0b"])]),
            entry(&[("uid", &[b"\xff"])]),
            entry(&[("uid", &[&long])]),
            entry(&[("uid", &[b"alice"]), ("mail", &many)]),
        ] {
            assert!(identity(&bad, "uid").is_err(), "{bad:?}");
        }
        let mut root = good;
        root.dn = String::new();
        assert!(identity(&root, "uid").is_err());
    }
}
