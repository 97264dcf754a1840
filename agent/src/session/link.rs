//! The link to the policy server: agent keys, and the events that keep the cache true.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::{FusedFuture as _, FutureExt as _};
use policy_client::{EventStream, jitter};
use policy_protocol::event::SILENCE;
use policy_protocol::{EventKind, EventPosition, Reason};
use tokio::time::Instant;

use super::Sessions;
use super::keys::Received;

/// The longest pause before the first attempt to reconnect; doubled up to [`MAX_PAUSE`]. Pauses are random:
/// a thousand agents that lost the same server come to the next over this time, not at one moment.
const MIN_PAUSE: Duration = Duration::from_millis(200);
/// An agent is back within this time of its policy server.
const MAX_PAUSE: Duration = Duration::from_secs(2);
/// Keys are fetched without an announcement as well, at least this long after the last time and at most
/// [`KEYS_JITTER`] later: it bounds what a lost message can cost.
const KEYS_EVERY: Duration = Duration::from_secs(4 * 60);
const KEYS_JITTER: Duration = Duration::from_secs(2 * 60);
/// After a rollover keys are fetched once more within this time, and after an answer that is older than what is
/// here: the call may have reached a policy server that is behind.
const KEYS_AGAIN: Duration = Duration::from_secs(10);

/// Keeps the link up, for ever.
pub async fn run(sessions: Arc<Sessions>) {
    let mut position = None;
    let mut pause = MIN_PAUSE;
    loop {
        // The stream before the keys: a rollover between the two is then announced, not missed.
        match sessions.policy.events(position.clone()).await {
            Ok(stream) => {
                let begun = Instant::now();
                listen(&sessions, stream, &mut position).await;
                tracing::warn!(
                    "the event stream of the policy server was lost; cached sessions are validated anew"
                );
                // A stream that broke as soon as it began is no better than none.
                if begun.elapsed() >= MAX_PAUSE {
                    pause = MIN_PAUSE;
                }
            }
            Err(error) => {
                tracing::warn!(%error, retry_within = ?pause, "no link to the policy server");
            }
        }
        sessions.trust.lost();
        sessions.metrics.events_connected.set(0);
        tokio::time::sleep(jitter::up_to(pause)).await;
        pause = (pause * 2).min(MAX_PAUSE);
    }
}

/// Heeds events until the stream is lost, or there are keys that cannot be had.
async fn listen(
    sessions: &Sessions,
    mut stream: EventStream,
    position: &mut Option<EventPosition>,
) {
    // Beside the events: the end of a session must not wait for keys, nor may events while they are fetched.
    let mut loading = pin!(sessions.load_keys().fuse());
    let mut keys_due = pin!(tokio::time::sleep(KEYS_EVERY + jitter::up_to(KEYS_JITTER)));
    let mut keys_rolled = false;
    let mut heard = Instant::now();
    loop {
        tokio::select! {
            biased;
            event = stream.next() => {
                let Some(Ok(event)) = event else { return };
                // What was there already when this process went on does not end the silence: it may have been
                // stopped. The policy server has to say, on a new stream, what was missed.
                if heard.elapsed() >= SILENCE {
                    return;
                }
                heard = Instant::now();
                sessions.trust.renew(heard.into_std());
                keys_rolled |= event.kind == EventKind::KeysRolled;
                heed(sessions, event.kind);
                *position = Some(event.position);
            }
            loaded = &mut loading => {
                match loaded {
                    Ok(Received::InForce { .. }) => {}
                    Ok(Received::Older) => keys_due
                        .as_mut()
                        .reset(Instant::now() + jitter::up_to(KEYS_AGAIN)),
                    Err(_) => return,
                }
            }
            () = &mut keys_due, if loading.is_terminated() => {
                keys_due
                    .as_mut()
                    .reset(Instant::now() + KEYS_EVERY + jitter::up_to(KEYS_JITTER));
                loading.set(sessions.load_keys().fuse());
            }
        }
        // What was fetched before a rollover does not count.
        if keys_rolled && loading.is_terminated() {
            keys_rolled = false;
            keys_due
                .as_mut()
                .reset(Instant::now() + jitter::up_to(KEYS_AGAIN));
            loading.set(sessions.load_keys().fuse());
        }
    }
}

fn heed(sessions: &Sessions, event: EventKind) {
    match event {
        EventKind::Hello { gap } => {
            sessions.trust.regained(gap, Instant::now().into_std());
            sessions.metrics.events_connected.set(1);
            tracing::info!(gap, "listening to the policy server");
        }
        EventKind::Heartbeat | EventKind::KeysRolled | EventKind::AgentsChanged => {}
        EventKind::SessionRevoked { session_id } => {
            sessions.metrics.revocations.inc();
            sessions.cache.end(session_id, Reason::REVOKED_SESSION);
        }
        EventKind::UserRevoked {
            universal_id,
            through,
        } => sessions.cache.end_user(&universal_id, through),
        EventKind::AllRevoked { through } => sessions.cache.end_all(through),
        EventKind::CacheFlush => sessions.trust.doubt(),
        EventKind::Unknown => {
            tracing::warn!(
                "the policy server tells something that this version does not understand"
            );
            sessions.trust.doubt();
        }
    }
}

#[cfg(test)]
mod tests {
    use policy_protocol::{Event, KeyId, Session, SessionId, Timestamp};
    use tokio::sync::mpsc;

    use super::*;
    use crate::session::sample;
    use crate::session::scripted_policy::ScriptedPolicy;

    /// The agent's time. The policy server's clock is a minute behind.
    const NOW: Timestamp = Timestamp(1_800_000_000);

    fn sessions() -> Arc<Sessions> {
        ScriptedPolicy::new(7).sessions(NOW)
    }

    fn session(id: u8, started: Timestamp) -> Session {
        sample::session(id, "alice", started)
    }

    fn event(kind: EventKind) -> Event {
        let position = EventPosition {
            instance: String::from("i"),
            sequence: 1,
        };
        Event { position, kind }
    }

    async fn hear(sessions: &Sessions, kind: EventKind) {
        let stream = Box::pin(futures_util::stream::iter([Ok(event(kind))]));
        listen(sessions, stream, &mut None).await;
    }

    /// An agent that listens and has fetched keys, and what speaks to it.
    async fn listening(sessions: &Arc<Sessions>) -> mpsc::UnboundedSender<EventKind> {
        let speaker = connected(sessions);
        until("keys", || sessions.keys.are_loaded()).await;
        speaker
    }

    fn connected(sessions: &Arc<Sessions>) -> mpsc::UnboundedSender<EventKind> {
        let (speaker, ears) = mpsc::unbounded_channel();
        let stream = futures_util::stream::unfold(ears, |mut ears| async move {
            let kind = ears.recv().await?;
            Some((Ok(event(kind)), ears))
        });
        let sessions = Arc::clone(sessions);
        tokio::spawn(async move { listen(&sessions, Box::pin(stream), &mut None).await });
        speaker
    }

    async fn until(what: &str, condition: impl Fn() -> bool) {
        for _ in 0..10_000 {
            if condition() {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("never: {what}");
    }

    fn current_key(sessions: &Sessions) -> Option<KeyId> {
        Some(sessions.keys.load().ok()?.ring.current().id())
    }

    #[tokio::test(start_paused = true)]
    async fn a_rollover_is_fetched_at_once_and_once_more_soon_after() {
        let policy = ScriptedPolicy::new(7);
        let sessions = policy.sessions(NOW);
        let speaker = listening(&sessions).await;
        *policy.current.lock().unwrap() = Some(8);
        speaker.send(EventKind::KeysRolled).unwrap();
        until("the key", || current_key(&sessions) == Some(KeyId(8))).await;
        // The server that was asked had not heard of the last rollover.
        *policy.current.lock().unwrap() = Some(9);
        tokio::time::sleep(KEYS_AGAIN).await;
        until("the next key", || current_key(&sessions) == Some(KeyId(9))).await;
        assert_eq!(policy.asked(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn keys_are_fetched_from_time_to_time_without_being_announced() {
        let policy = ScriptedPolicy::new(7);
        let sessions = policy.sessions(NOW);
        let _speaker = listening(&sessions).await;
        tokio::time::sleep(KEYS_EVERY - Duration::from_secs(1)).await;
        assert_eq!(policy.asked(), 1);
        for fetched in 2..5 {
            tokio::time::sleep(KEYS_EVERY + KEYS_JITTER).await;
            assert!(policy.asked() >= fetched);
        }
        assert!(policy.asked() <= 6);
    }

    #[tokio::test(start_paused = true)]
    async fn older_keys_are_not_put_in_force_and_soon_asked_for_again() {
        let policy = ScriptedPolicy::new(8);
        let sessions = policy.sessions(NOW);
        let speaker = listening(&sessions).await;
        *policy.current.lock().unwrap() = Some(7);
        speaker.send(EventKind::KeysRolled).unwrap();
        tokio::time::sleep(3 * KEYS_AGAIN).await;
        assert!(policy.asked() >= 4, "{}", policy.asked());
        assert_eq!(current_key(&sessions), Some(KeyId(8)));
        assert!(!speaker.is_closed());
        *policy.current.lock().unwrap() = Some(9);
        tokio::time::sleep(KEYS_AGAIN).await;
        until("the next key", || current_key(&sessions) == Some(KeyId(9))).await;
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_of_a_session_does_not_wait_for_keys() {
        let policy = ScriptedPolicy::new(7);
        let sessions = policy.sessions(NOW);
        let alive = sessions.cache.adopt(session(1, NOW), 0, NOW).unwrap();
        policy.answers.forget_permits(usize::MAX);
        let speaker = connected(&sessions);
        until("the call", || policy.asked() == 1).await;
        // Announced while the first answer is under way: that one does not count.
        speaker.send(EventKind::KeysRolled).unwrap();
        let session_id = SessionId::from_bytes([1; 20]);
        speaker
            .send(EventKind::SessionRevoked { session_id })
            .unwrap();
        until("the end", || alive.check_alive().is_err()).await;
        assert_eq!(policy.asked(), 1);
        policy.answers.add_permits(2);
        until("the second call", || policy.asked() == 2).await;
    }

    #[tokio::test(start_paused = true)]
    async fn keys_that_cannot_be_had_end_the_link() {
        let policy = ScriptedPolicy::new(7);
        *policy.current.lock().unwrap() = None;
        let speaker = connected(&policy.sessions(NOW));
        until("the end", || speaker.is_closed()).await;
    }

    fn trusts(sessions: &Sessions) -> bool {
        sessions.trust.is_listening(Instant::now().into_std())
    }

    #[tokio::test(start_paused = true)]
    async fn every_event_renews_the_trust() {
        let sessions = sessions();
        let speaker = listening(&sessions).await;
        speaker.send(EventKind::Hello { gap: true }).unwrap();
        until("trust", || trusts(&sessions)).await;
        for _ in 0..3 {
            tokio::time::sleep(SILENCE * 2 / 3).await;
            assert!(trusts(&sessions));
            speaker.send(EventKind::Heartbeat).unwrap();
        }
        tokio::time::sleep(SILENCE).await;
        assert!(!trusts(&sessions));
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_after_too_long_a_silence_ends_the_link() {
        let sessions = sessions();
        let speaker = listening(&sessions).await;
        speaker.send(EventKind::Hello { gap: false }).unwrap();
        until("trust", || trusts(&sessions)).await;
        tokio::time::sleep(SILENCE).await;
        let generation = sessions.trust.generation();
        for late in [EventKind::Heartbeat, EventKind::Hello { gap: false }] {
            _ = speaker.send(late);
        }
        until("the end", || speaker.is_closed()).await;
        assert!(!trusts(&sessions));
        // It is for the next Hello to say whether anything was missed.
        assert_eq!(sessions.trust.generation(), generation);
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
    async fn a_flush_or_something_unknown_puts_what_was_validated_in_doubt() {
        let sessions = sessions();
        for kind in [EventKind::CacheFlush, EventKind::Unknown] {
            let before = sessions.trust.generation();
            hear(&sessions, kind).await;
            assert_ne!(sessions.trust.generation(), before);
        }
    }

    #[tokio::test]
    async fn the_end_of_all_sessions_spares_those_that_begin_later() {
        let sessions = sessions();
        let adopt = |session| sessions.cache.adopt(session, 0, NOW);
        let before = adopt(session(1, NOW)).unwrap();
        hear(&sessions, EventKind::AllRevoked { through: NOW }).await;
        assert!(before.check_alive().is_err());
        assert!(adopt(session(2, NOW)).is_err());
        assert!(adopt(session(3, Timestamp(NOW.0 + 1))).is_ok());
    }
}
