//! Texts that are shown to a client and come back: told to be ours by their seal, and used once.

use policy_protocol::{TokenType, seal};

use super::{Core, Unavailable};

impl Core<'_> {
    /// Marks a one-time text as used, for as long as it could be shown again. Of several calls with the same
    /// text, one is told yes.
    pub fn claim(&self, text: &str, lifetime: std::time::Duration) -> bool {
        self.sessions.used_once.claim(text.to_owned(), (), lifetime)
    }

    /// Takes a claim back: what it was made for did not come to pass.
    pub fn unclaim(&self, text: &str) {
        self.sessions.used_once.take(&text.to_owned());
    }

    /// Seals a text of at most some hundred bytes for `purpose`, so that it can be told to be ours.
    ///
    /// # Errors
    /// If there are no agent keys.
    pub async fn seal_text(&self, purpose: &str, text: &[u8]) -> Result<String, Unavailable> {
        let keys = self.sessions.sealing_keys().await;
        let keys = keys.map_err(|_| Unavailable)?;
        let sealed = keys
            .ring
            .current()
            .seal(TokenType::LoginState, purpose, text);
        sealed.map_err(|_| Unavailable)
    }

    /// Opens what [`Core::seal_text`] made, perhaps at another agent.
    ///
    /// # Errors
    /// If there are no agent keys.
    pub async fn open_text(
        &self,
        purpose: &str,
        sealed: &str,
    ) -> Result<Option<Vec<u8>>, Unavailable> {
        let mut keys = self.sessions.keys.load().map_err(|_| Unavailable)?;
        let named = seal::key_id(sealed.as_bytes(), TokenType::LoginState);
        if named.is_some_and(|id| keys.ring.find(id).is_none()) {
            let newest = self.sessions.newest_keys().await;
            keys = newest.map_err(|_| Unavailable)?;
        }
        let find = |id| keys.ring.find(id);
        Ok(seal::open(sealed.as_bytes(), TokenType::LoginState, purpose, find).ok())
    }

    /// Proofs with assertions that were used.
    #[cfg(feature = "saml")]
    pub fn replays(&self) -> &crate::services::vsphere::saml::replay::Replays {
        &self.sessions.saml_replays
    }
}
