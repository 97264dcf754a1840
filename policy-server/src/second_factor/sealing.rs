//! How second factors are sealed at rest.

use aws_lc_rs::digest::{SHA256, digest};
use policy_protocol::seal::{self, KEY_LENGTH};
use policy_protocol::{KeyId, SealingKey, Secret, TokenType};

use crate::store::RecordKind;

/// Seals records and opens them again, each in its own place only.
pub(crate) trait Sealing: Send + Sync + 'static {
    /// Seals the value of the record `name`.
    fn seal(&self, kind: RecordKind, name: &str, plain: &[u8]) -> Option<Secret<Vec<u8>>>;
    /// Opens it.
    fn open(
        &self,
        kind: RecordKind,
        name: &str,
        sealed: &Secret<Vec<u8>>,
    ) -> Option<Secret<Vec<u8>>>;
}

/// Until there is a master key: it keeps records apart and whole, and nothing secret.
pub(crate) struct StoreSealing(SealingKey);

impl StoreSealing {
    pub(crate) fn new(identity: &str) -> Self {
        let mut key = [0; KEY_LENGTH];
        key.copy_from_slice(digest(&SHA256, identity.as_bytes()).as_ref());
        Self(SealingKey::new(KeyId(0), &key))
    }
}

impl Sealing for StoreSealing {
    fn seal(&self, kind: RecordKind, name: &str, plain: &[u8]) -> Option<Secret<Vec<u8>>> {
        let place = format!("{}/{name}", kind.name());
        let sealed = self.0.seal(TokenType::SessionSpec, &place, plain);
        sealed.ok().map(|text| Secret::new(text.into_bytes()))
    }

    fn open(
        &self,
        kind: RecordKind,
        name: &str,
        sealed: &Secret<Vec<u8>>,
    ) -> Option<Secret<Vec<u8>>> {
        let place = format!("{}/{name}", kind.name());
        let opened = seal::open(sealed.expose(), TokenType::SessionSpec, &place, |_| {
            Some(&self.0)
        });
        opened.ok().map(Secret::new)
    }
}
