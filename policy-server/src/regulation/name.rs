//! Whose attempts are counted.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use policy_protocol::{Identity, Secret};

use crate::directory::name::folded;

/// A folded name, hashed.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Name(String);

impl Name {
    pub(super) fn of(name: &str) -> Self {
        Self::hashed(["login name:", &folded(name)].concat())
    }

    /// A user, for what only a user can have.
    pub(super) fn of_code(user: &Identity) -> Self {
        let directory = &user.directory.oid;
        let input = ["second factor:", directory, "\0", &user.universal_id];
        Self::hashed(input.concat())
    }

    fn hashed(input: String) -> Self {
        let input = Secret::new(input);
        let hash = digest(&SHA256, input.expose().as_bytes());
        Self(URL_SAFE_NO_PAD.encode(hash))
    }

    /// The record that counts it.
    pub(super) fn record(&self) -> String {
        format!("user/{}", self.0)
    }

    /// The record that counts it in a network that it has logged in from.
    pub(super) fn record_in(&self, network: &str) -> String {
        format!("user/{}@{network}", self.0)
    }

    /// The record of networks that it has logged in from.
    pub(super) fn known(&self) -> String {
        format!("known/{}", self.0)
    }
}
