//! Follows the feed of the store: what any policy server has done reaches the agents of this one.

use std::sync::{Arc, Weak};
use std::time::Duration;

use policy_protocol::EventKind;
use tokio::sync::watch;

use crate::events::KEPT;
use crate::keys::KeyError;
use crate::server::PolicyServer;
use crate::store::{FeedPart, Store, StoreError};

/// The store must show this often that it is alive.
const WAIT: Duration = Duration::from_secs(1);
/// An answer that is later than this is none: the agents must not wait longer to learn that this policy
/// server is blind.
const LATEST: Duration = Duration::from_secs(2);
/// Pause before a lost feed is asked again.
const PAUSE: Duration = Duration::from_millis(100);

/// Why the feed could not be followed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FeedError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the new keys cannot be loaded: {0}")]
    Keys(#[from] KeyError),
}

/// Reads what agents may still ask for, and what has happened since. Returns the place that was reached.
pub(crate) async fn catch_up(server: &PolicyServer) -> Result<u64, FeedError> {
    let end = server.store.feed_end().await?;
    let mut place = end.saturating_sub(KEPT as u64);
    loop {
        let part = server.store.feed(place, Duration::ZERO).await?;
        place = take(server, place, part).await?;
        if place >= end {
            return Ok(place);
        }
    }
}

/// Follows the feed from `place` on, until the policy server is gone.
pub(crate) async fn run(
    server: Weak<PolicyServer>,
    store: Arc<dyn Store>,
    mut place: u64,
    mut stopped: watch::Receiver<bool>,
) {
    // Whether a store that is another one was joined in part only.
    let mut joining = false;
    loop {
        let part = tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => return,
            part = tokio::time::timeout(LATEST, store.feed(place, WAIT)) => part,
        };
        let Some(server) = server.upgrade() else {
            return;
        };
        let taken = match part.unwrap_or(Err(StoreError::TimedOut)) {
            Ok(part) if !joining && server.keys.are_of_this_store() => {
                take(&server, place, part).await
            }
            Ok(_) | Err(StoreError::Replaced) => {
                let joined = rejoin(&server).await;
                joining = joined.is_err();
                joined
            }
            Err(error) => Err(error.into()),
        };
        match taken {
            Ok(next) => {
                server.store_health.alive();
                place = next;
            }
            Err(error) => {
                server.store_health.lost();
                server.events.lost();
                tracing::warn!(%error, "the feed of the store is lost: agents doubt their caches");
                drop(server);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Passes a part of the feed on. Returns where it goes on.
async fn take(server: &PolicyServer, after: u64, part: FeedPart) -> Result<u64, FeedError> {
    let instance = server.store.identity();
    match part {
        FeedPart::Gap { end } => {
            // What was missed may have been anything.
            server.keys.reload().await?;
            server.agents.reload().await?;
            server.events.follow(&instance, end);
            Ok(end)
        }
        FeedPart::Entries(entries) => {
            // Before the agents are told: they ask for what they are told of.
            let tell = |kind: EventKind| entries.iter().any(|(_, event)| *event == kind);
            if tell(EventKind::KeysRolled) {
                server.keys.reload().await?;
            }
            if tell(EventKind::AgentsChanged) {
                server.agents.reload().await?;
            }
            let next = entries.last().map_or(after, |(sequence, _)| *sequence);
            server.events.follow(&instance, after);
            server.events.deliver(entries);
            Ok(next)
        }
    }
}

/// The store is another one: whatever was sealed, listed or announced before counts no more.
async fn rejoin(server: &PolicyServer) -> Result<u64, FeedError> {
    server.events.lost();
    let instance = server.keys.rejoin().await?;
    tracing::error!(
        instance,
        "the store was replaced: nobody's session lives on"
    );
    server.presence.forget_keys();
    server.agents.reload().await?;
    catch_up(server).await
}
