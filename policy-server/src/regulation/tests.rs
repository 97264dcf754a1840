use std::sync::atomic::{AtomicU32, Ordering};

use policy_protocol::{ManualClock, Timestamp};
use tempfile::TempDir;

use super::*;
use crate::store::RecordKind;
use crate::store::sqlite::SqliteStore;

/// Two policy servers on one store.
struct World {
    servers: [Arc<Regulation>; 2],
    store: Arc<dyn Store>,
    clock: Arc<ManualClock>,
    _folder: TempDir,
}

fn world(settings: &RegulationConfig) -> World {
    let folder = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(folder.path()).unwrap());
    let clock = Arc::new(ManualClock::at(Timestamp(1_000_000)));
    let servers = std::array::from_fn(|_| {
        let clock: Arc<dyn Clock> = Arc::clone(&clock) as _;
        let store = Arc::clone(&store);
        Arc::new(Regulation::new(store, clock, settings.clone()))
    });
    World {
        servers,
        store,
        clock,
        _folder: folder,
    }
}

fn home() -> Option<IpAddr> {
    Some("192.0.2.1".parse().unwrap())
}

async fn fail(server: &Regulation, name: &str) -> Option<bool> {
    let attempt = server.begin(name, home()).await.unwrap()?;
    Some(server.end(attempt, Ending::Wrong).await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guesses_at_two_policy_servers_at_once_get_no_more_tries() {
    let world = world(&RegulationConfig::default());
    let tries = Arc::new(AtomicU32::new(0));
    let guesses: Vec<_> = (0..200)
        .map(|guess: usize| {
            let server = Arc::clone(&world.servers[guess % 2]);
            let tries = Arc::clone(&tries);
            tokio::spawn(async move {
                let spelling = if guess.is_multiple_of(3) {
                    "Alice"
                } else {
                    "alice "
                };
                let Some(attempt) = server.begin(spelling, None).await.unwrap() else {
                    return;
                };
                tries.fetch_add(1, Ordering::SeqCst);
                // As long as looking at a password takes.
                sleep(Duration::from_millis(50)).await;
                server.end(attempt, Ending::Wrong).await.unwrap();
            })
        })
        .collect();
    for guess in guesses {
        guess.await.unwrap();
    }
    assert_eq!(tries.load(Ordering::SeqCst), 10);
    let standing = world.servers[1].standing("alice").await.unwrap();
    assert_eq!(standing.failures, 10);
    assert_eq!(
        standing.refused_until,
        Some(world.clock.now().plus(Duration::from_mins(15)))
    );
}

#[tokio::test]
async fn two_policy_servers_share_what_they_count() {
    let world = world(&RegulationConfig::default());
    for (failure, cost) in [0, 0, 0, 1, 2, 4, 8, 8, 8, 0].into_iter().enumerate() {
        let was_last = fail(&world.servers[failure % 2], "alice").await;
        assert_eq!(was_last, Some(failure == 9));
        world.clock.advance(Duration::from_secs(cost));
    }
    for server in &world.servers {
        assert_eq!(fail(server, "alice").await, None);
    }
    world.servers[0].forgive("alice").await.unwrap();
    assert_eq!(fail(&world.servers[1], "alice").await, Some(false));
}

#[tokio::test]
async fn another_name_of_a_user_gives_no_further_tries() {
    let world = world(&RegulationConfig::default());
    let [server, _] = &world.servers;
    for alias in 0..20 {
        let name = format!("alias {alias}");
        let mut attempt = server.begin(&name, None).await.unwrap().unwrap();
        let may_know = server.also(&mut attempt, "alice").await.unwrap();
        assert_eq!(may_know, alias < 10, "{name}");
        server.end(attempt, Ending::Wrong).await.unwrap();
        world.clock.advance(Duration::from_secs(8));
    }
    assert!(server.begin("alice", None).await.unwrap().is_none());
}

#[tokio::test]
async fn nothing_is_left_of_a_success() {
    let world = world(&RegulationConfig::default());
    let [server, _] = &world.servers;
    fail(server, "alice").await;
    let attempt = server.begin("alice", None).await.unwrap().unwrap();
    server.end(attempt, Ending::Right).await.unwrap();
    let records = world.store.records(RecordKind::Regulation).await.unwrap();
    let names: Vec<_> = records.into_keys().collect();
    // The failure counts for its networks.
    assert_eq!(names, ["network/192.0.2.0/24", "network/192.0.2.1/32"]);
    world.clock.advance(Duration::from_hours(1));
    world.store.remove_expired(world.clock.now()).await.unwrap();
    let records = world.store.records(RecordKind::Regulation).await.unwrap();
    assert!(records.is_empty());
}

#[tokio::test]
async fn an_attempt_that_was_not_ended_has_failed() {
    let world = world(&RegulationConfig::default());
    let [server, _] = &world.servers;
    let abandoned = server.begin("alice", home()).await.unwrap();
    drop(abandoned);
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(server.standing("alice").await.unwrap().failures, 1);
}

#[tokio::test]
async fn records_do_not_hold_names() {
    let world = world(&RegulationConfig::default());
    let [server, _] = &world.servers;
    fail(server, "Correct Horse").await;
    let records = world.store.records(RecordKind::Regulation).await.unwrap();
    for (name, record) in records {
        let value = String::from_utf8_lossy(record.value.expose()).into_owned();
        for text in [name, value] {
            assert!(!text.to_lowercase().contains("correct"), "{text}");
        }
    }
}
