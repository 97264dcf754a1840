//! Events: numbered, kept for a while, pushed to every agent that listens.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use policy_client::{EventStream, PolicyError};
use policy_protocol::event::HEARTBEAT_SECONDS;
use policy_protocol::{Event, EventKind, EventPosition, SessionId};
use tokio::sync::broadcast;
use tokio::time::{Interval, MissedTickBehavior};

/// Events that an agent can still get after it was away.
const KEPT: usize = 4096;
/// Events that a slow agent may lag behind before its stream ends.
const MAX_LAG: usize = 1024;

/// All events of one run of a policy server.
pub(crate) struct Events {
    /// Which run: new at every start.
    instance: String,
    kept: Mutex<Kept>,
    sender: broadcast::Sender<Event>,
}

/// The last events, and the number of the very last.
struct Kept {
    events: VecDeque<Event>,
    sequence: u64,
}

/// One agent's place in the stream.
struct Listener {
    receiver: broadcast::Receiver<Event>,
    /// What it is told first.
    pending: VecDeque<Event>,
    /// The last event it was told of.
    position: EventPosition,
    heartbeat: Interval,
}

impl Events {
    pub(crate) fn new() -> Result<Self, getrandom::Error> {
        Ok(Self {
            instance: SessionId::random()?.to_string(),
            kept: Mutex::new(Kept {
                events: VecDeque::new(),
                sequence: 0,
            }),
            sender: broadcast::Sender::new(MAX_LAG),
        })
    }

    /// Tells every agent.
    pub(crate) fn publish(&self, kind: EventKind) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.sequence += 1;
        let event = Event {
            position: self.position(kept.sequence),
            kind,
        };
        if kept.events.len() == KEPT {
            kept.events.pop_front();
        }
        kept.events.push_back(event.clone());
        // An error means that nobody listens. Under the lock, so that numbers arrive in order.
        _ = self.sender.send(event);
    }

    /// What happened since `position` as far as it is known, a `Hello`, and what will happen.
    pub(crate) fn listen(&self, position: Option<&EventPosition>) -> EventStream {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // Before the lock is released: nothing falls between what is kept and what is received.
        let receiver = self.sender.subscribe();
        let oldest = kept.sequence - kept.events.len() as u64;
        let known = position.filter(|position| {
            position.instance == self.instance
                && (oldest..=kept.sequence).contains(&position.sequence)
        });
        let from = known.map_or(kept.sequence, |position| position.sequence);
        let position = self.position(from);
        let hello = EventKind::Hello {
            gap: known.is_none(),
        };
        let missed = kept
            .events
            .iter()
            .filter(|event| event.position.sequence > from)
            .cloned();
        // Only who has heard of everything that was missed may believe that nothing was.
        let hello = Event {
            position: self.position(kept.sequence),
            kind: hello,
        };
        let pending = missed.chain([hello]).collect();
        drop(kept);
        let mut heartbeat = tokio::time::interval(Duration::from_secs(HEARTBEAT_SECONDS));
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        heartbeat.reset();
        let listener = Listener {
            receiver,
            pending,
            position,
            heartbeat,
        };
        Box::pin(futures_util::stream::unfold(
            listener,
            |mut listener| async move {
                let event = listener.next().await?;
                listener.position = event.position.clone();
                Some((Ok::<_, PolicyError>(event), listener))
            },
        ))
    }

    fn position(&self, sequence: u64) -> EventPosition {
        EventPosition {
            instance: self.instance.clone(),
            sequence,
        }
    }
}

impl Listener {
    /// The next event; the end for an agent that is too slow, which then asks again.
    async fn next(&mut self) -> Option<Event> {
        if let Some(event) = self.pending.pop_front() {
            return Some(event);
        }
        tokio::select! {
            biased;
            // Lagged, or the server is gone: either way the agent has to ask again.
            received = self.receiver.recv() => received.ok(),
            _ = self.heartbeat.tick() => {
                Some(Event { position: self.position.clone(), kind: EventKind::Heartbeat })
            }
        }
    }
}

#[cfg(test)]
mod tests;
