//! The link to the policy server: agent keys, and the events that keep the cache true.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use policy_client::{EventStream, PolicyError};
use policy_protocol::{EventKind, EventPosition, Reason};

use super::Sessions;

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
    while let Some(Ok(event)) = stream.next().await {
        match event.kind {
            EventKind::Hello { gap } => {
                sessions.trust.regained(gap);
                sessions.metrics.events_connected.set(1);
                tracing::info!(gap, "listening to the policy server");
            }
            EventKind::Heartbeat | EventKind::AgentsChanged => {}
            EventKind::SessionRevoked { session_id } => {
                sessions.metrics.revocations.inc();
                sessions.cache.end(session_id, Reason::REVOKED_SESSION);
            }
            EventKind::UserRevoked {
                universal_id,
                through,
            } => sessions.cache.end_user(&universal_id, through),
            // Each session is asked for anew, and the policy server knows which of them are over.
            EventKind::CacheFlush | EventKind::AllRevoked { .. } => sessions.trust.doubt(),
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

#[cfg(test)]
mod tests {
    use policy_client::native::{NativeClient, NativeSettings};
    use policy_protocol::{
        AuthScheme, Event, Identity, ManualClock, ProtectionLevel, Secret, Session, SessionId,
        SessionSpec, Timestamp,
    };

    use super::*;
    use crate::telemetry::metrics::Metrics;

    /// The agent's time. The policy server's clock is a minute behind.
    const NOW: Timestamp = Timestamp(1_800_000_000);

    /// Of an agent that cannot reach its policy server.
    fn sessions() -> Sessions {
        let dir = tempfile::tempdir().unwrap();
        let ca_file = dir.path().join("ca.pem");
        let ca = rcgen::generate_simple_self_signed(vec![String::from("localhost")]).unwrap();
        std::fs::write(&ca_file, ca.cert.pem()).unwrap();
        let unreachable = NativeClient::new(&NativeSettings {
            urls: vec![String::from("https://localhost:1")],
            ca_file: Some(ca_file),
            agent_name: String::from("a"),
            agent_secret: Secret::new(String::from("b")),
            timeout: Duration::from_secs(1),
        });
        Sessions::new(
            Arc::new(unreachable.unwrap()),
            Arc::new(ManualClock::at(NOW)),
            Arc::new(Metrics::new(1)),
            1 << 20,
        )
    }

    fn session(id: u8, started: Timestamp) -> Session {
        Session {
            id: SessionId::from_bytes([id; 20]),
            spec: SessionSpec::new(String::from("spec")),
            identity: Identity {
                universal_id: String::from("alice"),
                ..Identity::default()
            },
            auth_scheme: AuthScheme::Form,
            protection_level: ProtectionLevel(5),
            started,
            last_access: started,
            idle_timeout: Duration::from_secs(600),
            max_timeout: Duration::from_secs(7200),
            persistent: false,
        }
    }

    async fn hear(sessions: &Sessions, kind: EventKind) {
        let position = EventPosition {
            instance: String::from("i"),
            sequence: 1,
        };
        let event = Event { position, kind };
        let stream = Box::pin(futures_util::stream::iter([Ok(event)]));
        listen(sessions, stream, &mut None).await;
    }

    #[tokio::test]
    async fn a_revoked_user_who_logs_in_again_is_let_in_whatever_our_own_clock_says() {
        let sessions = sessions();
        let through = Timestamp(NOW.0 - 60);
        let adopt = |session| sessions.cache.adopt(session, 0, NOW);
        let before = adopt(session(1, through)).unwrap();
        let revoked = EventKind::UserRevoked {
            universal_id: String::from("alice"),
            through,
        };
        hear(&sessions, revoked).await;
        assert!(before.check_alive().is_err());
        assert!(adopt(session(2, Timestamp(through.0 + 1))).is_ok());
    }

    #[tokio::test]
    async fn a_flush_puts_what_was_validated_in_doubt() {
        let sessions = sessions();
        let before = sessions.trust.generation();
        hear(&sessions, EventKind::CacheFlush).await;
        assert_ne!(sessions.trust.generation(), before);
    }
}
