//! Records: small values that are changed by compare-and-swap.

use policy_protocol::{EventKind, Secret, Timestamp};

use super::StoreError;

/// What a record holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What it holds; sealed by whoever wrote it if that is secret.
    pub value: Secret<Vec<u8>>,
    /// [`first_version`] for a new record, one more at every change.
    pub version: u64,
}

/// What kind of thing a record is. With its name it is the record's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordKind {
    /// The keys: one record.
    Keys,
    /// A registered agent, by name.
    Agent,
    /// Which agents a policy server has, and which keys they have, by policy server.
    Presence,
    /// Failed logins, by user or network.
    Regulation,
    /// A user's second factor, by a hash of the user's directory and universal id.
    SecondFactor,
}

impl RecordKind {
    /// How engines write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Keys => "keys",
            Self::Agent => "agent",
            Self::Presence => "presence",
            Self::Regulation => "regulation",
            Self::SecondFactor => "second-factor",
        }
    }
}

/// The version of a record that is made: random, from 1 to 2⁴⁸, which every engine and JSON hold exactly.
/// Whoever has read a record that was removed and made again meanwhile must not find its version there.
///
/// # Errors
/// Without randomness.
pub fn first_version() -> Result<u64, StoreError> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|error| StoreError::Failed(error.to_string()))?;
    Ok((u64::from_be_bytes(random) >> 16) + 1)
}

/// A change of a record.
#[derive(Clone, Debug)]
pub struct RecordChange {
    /// What kind of record.
    pub kind: RecordKind,
    /// Its name.
    pub name: String,
    /// What it is to hold; `None` to remove it.
    pub value: Option<Secret<Vec<u8>>>,
    /// The version that must be there for the change to be made; 0 if there must be none.
    pub expected: u64,
    /// When the record may be forgotten, if ever.
    pub expires: Option<Timestamp>,
    /// What is appended to the feed with it.
    pub announce: Option<EventKind>,
}
