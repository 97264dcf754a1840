//! One call for however many wait for its answer.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

type Pending<K, V> = Arc<Mutex<HashMap<K, Flight<V>>>>;

#[derive(Debug)]
struct Flight<V> {
    begun: Instant,
    waiting: watch::Receiver<Option<V>>,
}

/// Calls under way, by what they are about. Each runs as a task of its own on one runtime: a client that
/// goes away neither stops the call nor holds up the others who wait.
#[derive(Debug)]
pub struct SingleFlight<K, V> {
    runtime: tokio::runtime::Handle,
    joined_for: Duration,
    pending: Pending<K, V>,
}

/// Takes a call off the list when it is over, also if it panicked.
struct Landing<K: Eq + Hash, V> {
    pending: Pending<K, V>,
    key: K,
    waiting: watch::Receiver<Option<V>>,
}

impl<K: Eq + Hash, V> Drop for Landing<K, V> {
    fn drop(&mut self) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        // A later call may have taken the place of this one.
        let own = |flight: &Flight<V>| flight.waiting.same_channel(&self.waiting);
        if pending.get(&self.key).is_some_and(own) {
            pending.remove(&self.key);
        }
    }
}

impl<K, V> SingleFlight<K, V>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Calls will run on `runtime`. Nobody joins one that began `joined_for` ago or earlier: its answer may be
    /// as old as that.
    pub fn on(runtime: tokio::runtime::Handle, joined_for: Duration) -> Self {
        Self {
            runtime,
            joined_for,
            pending: Pending::default(),
        }
    }

    /// Joins the call for `key` that is under way, or starts it. `None` if it panicked.
    pub async fn run<F>(&self, key: K, start: impl FnOnce() -> F) -> Option<V>
    where
        F: Future<Output = V> + Send + 'static,
    {
        let mut waiting = self.join_or_start(key, start);
        let answer = waiting.wait_for(Option::is_some).await.ok()?;
        answer.clone()
    }

    fn join_or_start<F>(&self, key: K, start: impl FnOnce() -> F) -> watch::Receiver<Option<V>>
    where
        F: Future<Output = V> + Send + 'static,
    {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let joined_for = self.joined_for;
        let in_time = |flight: &&Flight<V>| flight.begun.elapsed() < joined_for;
        if let Some(flight) = pending.get(&key).filter(in_time) {
            return flight.waiting.clone();
        }
        let (done, waiting) = watch::channel(None);
        let flight = Flight {
            begun: Instant::now(),
            waiting: waiting.clone(),
        };
        pending.insert(key.clone(), flight);
        let landing = Landing {
            pending: Arc::clone(&self.pending),
            key,
            waiting: waiting.clone(),
        };
        let call = start();
        self.runtime.spawn(async move {
            let answer = call.await;
            // Off the list first: who comes later must see what the call has changed, not its answer.
            drop(landing);
            done.send_replace(Some(answer));
        });
        waiting
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Poll;

    use super::*;

    const JOINED_FOR: Duration = Duration::from_secs(3);

    fn flights<K, V>() -> SingleFlight<K, V>
    where
        K: Clone + Eq + Hash + Send + 'static,
        V: Clone + Send + Sync + 'static,
    {
        SingleFlight::on(tokio::runtime::Handle::current(), JOINED_FOR)
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_joins_a_call_that_began_long_ago() {
        let just = Duration::from_millis(1);
        let flights = Arc::new(flights());
        let gates = [(); 2].map(|()| Arc::new(tokio::sync::Notify::new()));
        let calls = Arc::new(AtomicUsize::new(0));
        let ask = || {
            let (flights, gates, calls) = (Arc::clone(&flights), gates.clone(), Arc::clone(&calls));
            tokio::spawn(async move {
                let call = || async move {
                    let number = calls.fetch_add(1, Ordering::SeqCst);
                    gates[number].notified().await;
                    number
                };
                flights.run((), call).await
            })
        };
        let first = ask();
        tokio::time::sleep(JOINED_FOR - just).await;
        let joined = ask();
        tokio::time::sleep(just).await;
        let second = ask();
        tokio::time::sleep(just).await;
        gates[0].notify_one();
        assert_eq!(first.await.unwrap(), Some(0));
        assert_eq!(joined.await.unwrap(), Some(0));
        // The first has not taken the second off the list.
        let third = ask();
        tokio::time::sleep(just).await;
        gates[1].notify_one();
        assert_eq!(second.await.unwrap(), Some(1));
        assert_eq!(third.await.unwrap(), Some(1));
    }

    #[tokio::test]
    async fn many_who_wait_cause_one_call() {
        let flights = flights();
        let calls = Arc::new(AtomicUsize::new(0));
        let gate = Arc::new(tokio::sync::Notify::new());
        let waiting = (0..50).map(|_| {
            flights.run("key", || {
                let (calls, gate) = (Arc::clone(&calls), Arc::clone(&gate));
                async move {
                    calls.fetch_add(1, Ordering::SeqCst);
                    gate.notified().await;
                    7
                }
            })
        });
        let all = futures_util::future::join_all(waiting);
        let (answers, ()) = tokio::join!(all, async { gate.notify_one() });
        assert!(answers.iter().all(|answer| *answer == Some(7)));
        assert_eq!(calls.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_caller_that_goes_away_does_not_stop_the_others() {
        let flights = Arc::new(flights());
        let gate = Arc::new(tokio::sync::Notify::new());
        let start = || {
            let gate = Arc::clone(&gate);
            move || async move { gate.notified().await }
        };
        {
            let mut first = std::pin::pin!(flights.run((), start()));
            let polled = std::future::poll_fn(|cx| Poll::Ready(first.as_mut().poll(cx))).await;
            assert!(polled.is_pending());
        }
        let second = flights.run((), || async { panic!("a second call") });
        let (answer, ()) = tokio::join!(second, async { gate.notify_one() });
        assert_eq!(answer, Some(()));
    }

    #[tokio::test]
    async fn a_panic_is_no_answer_and_blocks_nobody() {
        let flights: SingleFlight<(), u8> = flights();
        assert_eq!(
            flights
                .run((), || async { panic!("expected by the test") })
                .await,
            None
        );
        assert_eq!(flights.run((), || async { 1 }).await, Some(1));
    }
}
