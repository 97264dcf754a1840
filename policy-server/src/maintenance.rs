//! What a policy server does every so often without being asked.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, Weak};
use std::time::Duration;

use futures_util::FutureExt as _;
use policy_client::PolicyError;
use policy_protocol::{EventKind, Reason};

use crate::audit::{AuditEvent, Record};
use crate::server::{PolicyServer, failure};
use crate::uses;

/// How often keys, users and what has reached its end are looked after.
const MAINTENANCE: Duration = Duration::from_secs(10);

/// What was found and is still to be done.
pub(crate) struct Pending {
    /// Whether users or policies have changed and the agents have not been told.
    flush: AtomicBool,
    /// Users who may not log in any more and whose sessions are to be ended, by universal id.
    gone: Mutex<BTreeSet<String>>,
}

impl Default for Pending {
    fn default() -> Self {
        Self {
            // Users and policies may have changed while nobody looked.
            flush: AtomicBool::new(true),
            gone: Mutex::default(),
        }
    }
}

impl Pending {
    fn gone<T>(&self, with: impl FnOnce(&mut BTreeSet<String>) -> T) -> T {
        with(&mut self.gone.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Starts all of it. It ends with the policy server.
pub(crate) fn start(server: &Weak<PolicyServer>) {
    tokio::spawn(every(
        MAINTENANCE,
        Weak::clone(server),
        async |server: &PolicyServer| {
            // Its failures are logged where they happen, and the next round tries again.
            _ = server.maintain().await;
        },
    ));
    tokio::spawn(every(
        uses::PERIOD,
        Weak::clone(server),
        async |server: &PolicyServer| {
            server.uses.write(&*server.store).await;
        },
    ));
}

impl PolicyServer {
    /// One round of what the background does: rolls keys over when it is time, drops what has reached
    /// its end, lets agents ask anew when users or policies have changed, and ends the sessions of those who may
    /// not log in any more.
    ///
    /// # Errors
    /// If any part of it failed; the other parts are done.
    pub async fn maintain(&self) -> Result<(), PolicyError> {
        self.uses.write(&*self.store).await;
        let parts = [
            self.refresh_users().await,
            self.end_sessions_of_gone().await,
            self.refresh_policies(),
            self.flush_caches_when_due().await,
            self.look_after_keys().await,
            self.store.remove_expired(self.now()).await.map_err(failure),
        ];
        parts.into_iter().collect()
    }

    async fn refresh_users(&self) -> Result<(), PolicyError> {
        let (changes, refreshed) = self.directories.refresh().await;
        let flush = &self.pending.flush;
        flush.fetch_or(changes.to_known_users, Ordering::Relaxed);
        self.pending.gone(|gone| gone.extend(changes.gone));
        refreshed.map_err(failure)
    }

    /// Ends the sessions of those who are gone. Who cannot be dealt with now is in the next round.
    async fn end_sessions_of_gone(&self) -> Result<(), PolicyError> {
        let gone = self.pending.gone(|gone| gone.clone());
        let mut outcome = Ok(());
        for universal_id in gone {
            match self.end_sessions_of_one_gone(&universal_id).await {
                Ok(()) => _ = self.pending.gone(|gone| gone.remove(&universal_id)),
                Err(error) => outcome = Err(error),
            }
        }
        outcome
    }

    async fn end_sessions_of_one_gone(&self, universal_id: &str) -> Result<(), PolicyError> {
        self.end_sessions_of(universal_id).await?;
        Record {
            user: universal_id,
            reason: Reason::USER_DISABLED,
            ..Record::new(AuditEvent::AuthLogout, "", "")
        }
        .write(&self.audit)
        .await
    }

    fn refresh_policies(&self) -> Result<(), PolicyError> {
        let changed = self.policies.refresh().map_err(|problems| {
            tracing::error!(%problems, "policies file ignored, the policies are as before");
            PolicyError::Failure
        })?;
        self.pending.flush.fetch_or(changed, Ordering::Relaxed);
        Ok(())
    }

    /// Lets agents ask anew. If the store cannot be told, it is tried again in the next round.
    pub(crate) async fn flush_caches_when_due(&self) -> Result<(), PolicyError> {
        if self.pending.flush.load(Ordering::Relaxed) {
            let told = self.store.append(EventKind::CacheFlush).await;
            told.map_err(failure)?;
            self.pending.flush.store(false, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// Does something for a policy server every so often, until nobody uses it any more. Policy servers that
/// start together do not do it together. A panic costs one round.
async fn every(period: Duration, server: Weak<PolicyServer>, what: impl AsyncFn(&PolicyServer)) {
    let mut random = [0; 2];
    // Without randomness they do.
    _ = getrandom::fill(&mut random);
    let part = f64::from(u16::from_be_bytes(random)) / f64::from(u16::MAX);
    tokio::time::sleep(period.mul_f64(part)).await;
    loop {
        tokio::time::sleep(period).await;
        let Some(server) = server.upgrade() else {
            return;
        };
        if AssertUnwindSafe(what(&server))
            .catch_unwind()
            .await
            .is_err()
        {
            tracing::error!("a round of background work panicked");
        }
    }
}

#[cfg(test)]
mod tests;
