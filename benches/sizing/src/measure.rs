//! The calls, by several callers at a time, and how long they take.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use policy_protocol::Timestamp;
use policy_server::store::{Ending, SessionFilter, Store};

use crate::population::{self, MARGIN, NOW, mixed};

/// How much is asked.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Callers at a time. Each waits for its answer before it asks again.
    pub callers: u64,
    /// Logins and logouts, each.
    pub writes: u64,
    /// Validations.
    pub reads: u64,
}

/// What one kind of call does.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// Calls in a second, of all callers together.
    pub per_second: f64,
    /// What half of them took at most.
    pub median: Duration,
    /// What 99 of 100 took at most.
    pub p99: Duration,
}

/// What was measured at one size.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// `insert`.
    pub login: Rate,
    /// `standing`.
    pub validate: Rate,
    /// `touch` with 1000 uses: what a policy server writes at most at once.
    pub touch: Rate,
    /// `revoke_session`.
    pub logout: Rate,
    /// `list` with 100 sessions, newest first.
    pub page: Rate,
    /// `list` of one user's sessions.
    pub of_user: Rate,
}

/// Uses in one call of `touch`.
const USES: u64 = 1000;

/// Measures a store with the sessions from 0 up to `size`. Leaves as many in it.
///
/// # Panics
/// If a call fails, or an answer is wrong.
pub async fn measure(store: &Arc<dyn Store>, size: u64, load: Load) -> Figures {
    let Load {
        callers,
        writes,
        reads,
    } = load;
    let validate = run(store, callers, reads, move |store, turn| async move {
        let number = mixed(turn) % size;
        let session = population::session(number);
        let user = &session.identity.universal_id;
        let standing = store.standing(session.id, user, session.started).await;
        let standing = standing.unwrap();
        assert!(!standing.revoked && standing.last_access.is_some());
    })
    .await;
    // One policy server writes them, one call after the other.
    let touch = run(store, 1, 20, move |store, turn| async move {
        let used = |index| population::id(mixed(turn * USES + index) % size);
        let at = Timestamp(NOW.0 + turn);
        let uses = (0..USES).map(|index| (used(index), at)).collect();
        store.touch(uses).await.unwrap();
    })
    .await;
    let page = run(store, 4, 200, move |store, _| async move {
        let page = store.list(SessionFilter::default(), None, 100, NOW).await;
        assert_eq!(page.unwrap().sessions.len(), 100);
    })
    .await;
    let of_user = run(store, 4, 400, move |store, turn| async move {
        let user = population::universal_id(mixed(turn) % (size / 2));
        let filter = SessionFilter {
            user: Some(user),
            ..SessionFilter::default()
        };
        let mut after = None;
        let mut found = 0;
        loop {
            let page = store.list(filter.clone(), after, 100, NOW).await.unwrap();
            found += page.sessions.len();
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(found, 2);
    })
    .await;
    // Others than the ones that will be filled in: who has ended does not come back.
    let fresh = 1_000_000_000 + size * 1000;
    let login = run(store, callers, writes, move |store, turn| async move {
        population::login(&*store, fresh + turn).await;
    })
    .await;
    let logout = run(store, callers, writes, move |store, turn| async move {
        let session = population::session(fresh + turn);
        let ending = Ending {
            id: session.id,
            keep_until: session.expires.plus(MARGIN),
        };
        assert!(store.revoke_session(ending).await.unwrap());
    })
    .await;
    Figures {
        login,
        validate,
        touch,
        logout,
        page,
        of_user,
    }
}

/// Makes `calls` calls, `callers` at a time.
async fn run<F: Future<Output = ()> + Send + 'static>(
    store: &Arc<dyn Store>,
    callers: u64,
    calls: u64,
    call: impl Fn(Arc<dyn Store>, u64) -> F + Clone + Send + 'static,
) -> Rate {
    let turns = Arc::new(AtomicU64::new(0));
    let start = Instant::now();
    let callers: Vec<_> = (0..callers)
        .map(|_| {
            let (store, turns, call) = (Arc::clone(store), Arc::clone(&turns), call.clone());
            tokio::spawn(async move {
                let mut took = Vec::new();
                loop {
                    let turn = turns.fetch_add(1, Ordering::Relaxed);
                    if turn >= calls {
                        return took;
                    }
                    let start = Instant::now();
                    call(Arc::clone(&store), turn).await;
                    took.push(start.elapsed());
                }
            })
        })
        .collect();
    let mut took = Vec::new();
    for caller in callers {
        took.extend(caller.await.unwrap());
    }
    let elapsed = start.elapsed();
    took.sort_unstable();
    let part = |percent: usize| took[(took.len() - 1) * percent / 100];
    #[expect(clippy::cast_precision_loss, reason = "a few thousand calls")]
    let per_second = calls as f64 / elapsed.as_secs_f64();
    Rate {
        per_second,
        median: part(50),
        p99: part(99),
    }
}
