//! The link to the policy server: agent keys, and the events that keep the cache true.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use policy_client::{EventStream, PolicyError};
use policy_protocol::event::HEARTBEAT_SECONDS;
use policy_protocol::{EventKind, EventPosition, Reason};
use tokio::time::timeout;

use super::Sessions;

/// After this much silence the stream is taken for dead: two heartbeats were lost.
const SILENCE: Duration = Duration::from_secs(3 * HEARTBEAT_SECONDS);
/// Pause before the first attempt to reconnect; doubled up to [`MAX_PAUSE`].
const MIN_PAUSE: Duration = Duration::from_millis(50);
/// An agent is back within this time of its policy server.
const MAX_PAUSE: Duration = Duration::from_secs(2);

/// Keeps the link up, for ever.
pub async fn run(sessions: Arc<Sessions>) {
    let mut position = None;
    let mut pause = MIN_PAUSE;
    loop {
        match connect(&sessions, position.clone()).await {
            Ok(stream) => {
                pause = MIN_PAUSE;
                listen(&sessions, stream, &mut position).await;
                tracing::warn!(
                    "the event stream of the policy server was lost; cached sessions are validated anew"
                );
            }
            Err(error) => {
                tracing::warn!(%error, retry_in = ?pause, "no link to the policy server");
            }
        }
        sessions.trust.lost();
        sessions.metrics.events_connected.set(0);
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(MAX_PAUSE);
    }
}

async fn connect(
    sessions: &Sessions,
    position: Option<EventPosition>,
) -> Result<EventStream, PolicyError> {
    // The stream first: a rollover between the two calls is then announced, not missed.
    let stream = sessions.policy.events(position).await?;
    load_keys(sessions).await?;
    Ok(stream)
}

async fn listen(
    sessions: &Sessions,
    mut stream: EventStream,
    position: &mut Option<EventPosition>,
) {
    while let Ok(Some(Ok(event))) = timeout(SILENCE, stream.next()).await {
        match event.kind {
            EventKind::Hello { gap } => {
                sessions.trust.regained(gap);
                sessions.metrics.events_connected.set(1);
                tracing::info!(gap, "listening to the policy server");
            }
            EventKind::Heartbeat => {}
            EventKind::SessionRevoked { session_id } => {
                sessions.metrics.revocations.inc();
                sessions.cache.end(session_id, Reason::REVOKED_SESSION);
            }
            EventKind::UserRevoked { universal_id } => {
                sessions.cache.end_user(&universal_id, sessions.now())
            }
            EventKind::CacheFlush => sessions.trust.doubt(),
            EventKind::KeysRolled => {
                if load_keys(sessions).await.is_err() {
                    return;
                }
            }
        }
        *position = Some(event.position);
    }
}

async fn load_keys(sessions: &Sessions) -> Result<(), PolicyError> {
    let set = sessions.policy.agent_keys().await?;
    match sessions.keys.replace(&set) {
        Ok(true) => sessions.cache.flush(),
        Ok(false) => {}
        Err(error) => {
            tracing::error!(%error, "the agent keys cannot be used");
            return Err(PolicyError::Protocol);
        }
    }
    Ok(())
}
