//! Fetches the agent keys from the policy server.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use policy_client::PolicyError;
use tokio::time::Instant;

use super::Sessions;
use super::cache::Alias;
use super::cookie::{KeysMissing, names_unknown_key};
use super::keys::{LoadedKeys, Received};
use super::on_runtime::MAX_CALL;
use super::single_flight::SingleFlight;

/// A cookie that names an unknown key has the keys fetched no more often than this: anybody can make one up.
const SEARCH_PAUSE: Duration = Duration::from_secs(1);

/// Fetches under way and done.
pub(super) struct KeyFetch {
    /// One at a time, so that an older answer never takes the place of a newer one.
    turn: tokio::sync::Mutex<()>,
    search: SingleFlight<(), bool>,
    /// When the last search was over, and whether it got an answer.
    searched: Mutex<Option<(Instant, bool)>>,
}

impl KeyFetch {
    /// Fetches will run on `runtime`.
    pub(super) fn on(runtime: tokio::runtime::Handle) -> Self {
        Self {
            turn: tokio::sync::Mutex::default(),
            search: SingleFlight::on(runtime, MAX_CALL),
            searched: Mutex::default(),
        }
    }

    /// How the last search ended, if another would come too soon.
    fn just_searched(&self) -> Option<bool> {
        let searched = *self.lock();
        searched.and_then(|(at, answered)| (at.elapsed() < SEARCH_PAUSE).then_some(answered))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<(Instant, bool)>> {
        self.searched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sessions {
    /// Fetches the agent keys and puts them in force, unless newer ones are.
    ///
    /// # Errors
    /// If the policy server gives none that can be used; the old ones stay.
    pub(super) async fn load_keys(&self) -> Result<Received, PolicyError> {
        let _turn = self.key_fetch.turn.lock().await;
        let asked = self.now();
        let set = self.policy.agent_keys().await?;
        let received = self.keys.replace(&set, asked).map_err(|error| {
            tracing::error!(%error, "the agent keys cannot be used");
            PolicyError::Protocol
        })?;
        match received {
            Received::InForce { taken: true } => self.cache.flush(),
            Received::InForce { taken: false } => {}
            Received::Older => {
                tracing::warn!(
                    version = set.version,
                    "a policy server handed out keys that are older than those in force"
                );
            }
        }
        Ok(received)
    }

    /// Remembers what a text that `keys` opened leads to, as long as they are in force: who takes a key away
    /// forgets what was opened with it.
    pub fn remember(&self, text: &[u8], alias: Alias, keys: &Arc<LoadedKeys>) -> Arc<Alias> {
        let alias = self.cache.insert(text, alias);
        // Only now: what is replaced later finds the entry there, and flushes it.
        let in_force = |now: Arc<LoadedKeys>| Arc::ptr_eq(&now, keys);
        if !self.keys.load().is_ok_and(in_force) {
            self.cache.forget(text);
        }
        alias
    }

    /// The keys, if they may seal cookies of sessions that start now; else asked for anew.
    ///
    /// # Errors
    /// If no policy server confirms any.
    pub async fn sealing_keys(self: &Arc<Self>) -> Result<Arc<LoadedKeys>, KeysMissing> {
        let keys = self.keys.load()?;
        let now = self.now();
        if keys.may_seal(now, now) {
            return Ok(keys);
        }
        self.newest_keys().await
    }

    /// The keys to open a cookie with: asked for anew if it names one that is not here.
    ///
    /// # Errors
    /// If there are none, or no policy server gives newer ones.
    pub async fn keys_for(self: &Arc<Self>, cookie: &[u8]) -> Result<Arc<LoadedKeys>, KeysMissing> {
        let keys = self.keys.load()?;
        if names_unknown_key(cookie, &keys.ring) {
            self.newest_keys().await
        } else {
            Ok(keys)
        }
    }

    /// The keys, asked for anew because a cookie names one that is not here, unless that was done within
    /// the last second. All who ask at once cause one call.
    ///
    /// # Errors
    /// If no policy server gives them, or one that is behind.
    pub async fn newest_keys(self: &Arc<Self>) -> Result<Arc<LoadedKeys>, KeysMissing> {
        let answered = match self.key_fetch.just_searched() {
            Some(answered) => answered,
            None => {
                let sessions = Arc::clone(self);
                let search = self.key_fetch.search.run((), || async move {
                    // Again: a search may have ended since.
                    if let Some(answered) = sessions.key_fetch.just_searched() {
                        return answered;
                    }
                    let loaded = sessions.load_keys().await;
                    let answered = matches!(loaded, Ok(Received::InForce { .. }));
                    *sessions.key_fetch.lock() = Some((Instant::now(), answered));
                    answered
                });
                search.await.unwrap_or(false)
            }
        };
        if answered {
            self.keys.load()
        } else {
            Err(KeysMissing)
        }
    }
}

#[cfg(test)]
mod tests;
