//! Fetches the agent keys from the policy server.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use policy_client::PolicyError;
use tokio::time::Instant;

use super::Sessions;
use super::cookie::KeysMissing;
use super::keys::LoadedKeys;
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
    /// Fetches the agent keys and puts them in force.
    ///
    /// # Errors
    /// If the policy server gives none that can be used; the old ones stay.
    pub(super) async fn load_keys(&self) -> Result<(), PolicyError> {
        let _turn = self.key_fetch.turn.lock().await;
        let set = self.policy.agent_keys().await?;
        match self.keys.replace(&set) {
            Ok(true) => self.cache.flush(),
            Ok(false) => {}
            Err(error) => {
                tracing::error!(%error, "the agent keys cannot be used");
                return Err(PolicyError::Protocol);
            }
        }
        Ok(())
    }

    /// The keys, asked for anew because a cookie names one that is not here, unless that was done within
    /// the last second. All who ask at once cause one call.
    ///
    /// # Errors
    /// If the policy server cannot be asked.
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
                    let answered = sessions.load_keys().await.is_ok();
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
