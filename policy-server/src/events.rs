//! Events: what the feed of the store says, kept for a while, pushed to every agent that listens.
//!
//! Only who follows the feed may speak: when the feed is lost, all streams end, and agents that hear
//! nothing more doubt what they have cached.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use futures_util::Stream;
use policy_client::PolicyError;
use policy_protocol::event::HEARTBEAT_SECONDS;
use policy_protocol::{Event, EventKind, EventPosition};
use tokio::sync::{broadcast, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior};

/// Events that an agent can still get after it was away.
pub(crate) const KEPT: usize = 4096;
/// Events that a slow agent may lag behind before its stream ends.
const MAX_LAG: usize = 1024;
/// The feed shows this often at least that it is alive; else agents must not hear that all is well.
const SILENT: Duration = Duration::from_secs(3);
/// What is in the feed when an agent comes must be known here within this time.
const CATCH_UP: Duration = Duration::from_secs(1);

/// An event as it is told. All streams share it: it is kept and written as JSON once, not once a stream.
pub(crate) struct Told {
    pub(crate) event: Event,
    /// The same as a line of JSON.
    pub(crate) line: Bytes,
}

impl Told {
    fn new(position: EventPosition, kind: EventKind) -> Arc<Self> {
        let event = Event { position, kind };
        // It cannot fail. If it did, no agent would take the empty line for an event.
        let mut line = serde_json::to_vec(&event).unwrap_or_default();
        line.push(b'\n');
        let line = line.into();
        Arc::new(Self { event, line })
    }
}

/// What one agent is told, as it happens. The end means that it has to ask again.
pub(crate) type ToldStream = Pin<Box<dyn Stream<Item = Arc<Told>> + Send>>;

/// The last events of the feed.
pub(crate) struct Events {
    kept: Mutex<Kept>,
    /// The number of the last event.
    heard: watch::Sender<u64>,
    pulse: Pulse,
}

struct Kept {
    /// The store's identity.
    instance: String,
    events: VecDeque<Arc<Told>>,
    /// Who has heard everything up to this number can be told the rest.
    oldest: u64,
    /// The number of the last event.
    sequence: u64,
    /// To whoever listens; absent while the feed is lost.
    sender: Option<broadcast::Sender<Arc<Told>>>,
}

/// When the feed last showed that it is alive.
#[derive(Clone)]
struct Pulse(Arc<Mutex<Instant>>);

impl Pulse {
    fn beat(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Whether that is so long ago that nobody may rely on it: this process was stopped, most likely.
    fn is_gone(&self) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .elapsed()
            >= SILENT
    }
}

impl Kept {
    fn position(&self, sequence: u64) -> EventPosition {
        EventPosition {
            instance: self.instance.clone(),
            sequence,
        }
    }
}

/// One agent's place in the stream.
struct Listener {
    receiver: broadcast::Receiver<Arc<Told>>,
    /// What it is told first.
    pending: VecDeque<Arc<Told>>,
    /// The last event it was told of.
    last: Arc<Told>,
    heartbeat: Interval,
    pulse: Pulse,
}

impl Events {
    /// Nobody is told anything before the first [`Self::follow`].
    pub(crate) fn new() -> Self {
        Self {
            kept: Mutex::new(Kept {
                instance: String::new(),
                events: VecDeque::new(),
                oldest: 0,
                sequence: 0,
                sender: None,
            }),
            heard: watch::Sender::new(0),
            pulse: Pulse(Arc::new(Mutex::new(Instant::now()))),
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The feed of `instance` is followed from `sequence` on. What is kept stays if it leads there.
    pub(crate) fn follow(&self, instance: &str, sequence: u64) {
        self.pulse.beat();
        let mut kept = self.kept();
        if kept.instance != instance || kept.sequence != sequence {
            kept.events.clear();
            instance.clone_into(&mut kept.instance);
            kept.oldest = sequence;
            kept.sequence = sequence;
            // Who listens must come again, and hear that there is a gap.
            kept.sender = None;
        }
        kept.sender
            .get_or_insert_with(|| broadcast::Sender::new(MAX_LAG));
        drop(kept);
        self.heard.send_replace(sequence);
    }

    /// Tells every agent what the feed says next.
    pub(crate) fn deliver(&self, entries: impl IntoIterator<Item = (u64, EventKind)>) {
        let mut kept = self.kept();
        for (sequence, kind) in entries {
            kept.sequence = sequence;
            if kind == EventKind::AgentsChanged {
                // For policy servers only.
                continue;
            }
            let told = Told::new(kept.position(sequence), kind);
            if kept.events.len() == KEPT
                && let Some(dropped) = kept.events.pop_front()
            {
                kept.oldest = dropped.event.position.sequence;
            }
            kept.events.push_back(Arc::clone(&told));
            // An error means that nobody listens. Under the lock, so that numbers arrive in order.
            _ = kept.sender.as_ref().map(|sender| sender.send(told));
        }
        let sequence = kept.sequence;
        drop(kept);
        self.heard.send_replace(sequence);
    }

    /// The feed is not followed any more: all streams end.
    pub(crate) fn lost(&self) {
        self.kept().sender = None;
    }

    /// What happened since `position` as far as it is known, a `Hello`, and what will happen. The `Hello`
    /// comes after everything up to `end`, the last entry of the feed when the agent asked.
    ///
    /// # Errors
    /// While the feed is lost, or too far behind.
    pub(crate) async fn listen(
        &self,
        position: Option<&EventPosition>,
        end: u64,
    ) -> Result<ToldStream, PolicyError> {
        let mut heard = self.heard.subscribe();
        let caught_up = heard.wait_for(|sequence| *sequence >= end);
        let caught_up = tokio::time::timeout(CATCH_UP, caught_up).await;
        caught_up
            .map_err(|_| PolicyError::TimedOut)?
            .map_err(|_| PolicyError::Failure)?;
        let kept = self.kept();
        // Before the lock is released: nothing falls between what is kept and what is received.
        let receiver = kept
            .sender
            .as_ref()
            .ok_or(PolicyError::Failure)?
            .subscribe();
        let known = position.filter(|position| {
            position.instance == kept.instance
                && (kept.oldest..=kept.sequence).contains(&position.sequence)
        });
        let from = known.map_or(kept.sequence, |position| position.sequence);
        let missed = kept
            .events
            .iter()
            .filter(|told| told.event.position.sequence > from)
            .cloned();
        // Only who has heard of everything that was missed may believe that nothing was.
        let gap = known.is_none();
        let hello = Told::new(kept.position(kept.sequence), EventKind::Hello { gap });
        let pending = missed.chain([Arc::clone(&hello)]).collect();
        drop(kept);
        let mut heartbeat = tokio::time::interval(Duration::from_secs(HEARTBEAT_SECONDS));
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        heartbeat.reset();
        let listener = Listener {
            receiver,
            pending,
            last: hello,
            heartbeat,
            pulse: self.pulse.clone(),
        };
        Ok(Box::pin(futures_util::stream::unfold(
            listener,
            |mut listener| async move {
                let told = listener.next().await?;
                listener.last = Arc::clone(&told);
                Some((told, listener))
            },
        )))
    }
}

impl Listener {
    /// The next event; the end for an agent that is too slow, which then asks again.
    async fn next(&mut self) -> Option<Arc<Told>> {
        if let Some(told) = self.pending.pop_front() {
            return Some(told);
        }
        tokio::select! {
            biased;
            // Lagged, or the feed is lost: either way the agent has to ask again.
            received = self.receiver.recv() => received.ok(),
            // A flag that says so comes too late when this process was stopped and goes on.
            _ = self.heartbeat.tick() => (!self.pulse.is_gone()).then(|| {
                Told::new(self.last.event.position.clone(), EventKind::Heartbeat)
            }),
        }
    }
}

#[cfg(test)]
mod tests;
