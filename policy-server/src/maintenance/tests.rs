use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use policy_protocol::SystemClock;
use tokio::sync::Notify;

use super::*;
use crate::PolicyServerConfig;

async fn server(dir: &Path) -> Arc<PolicyServer> {
    std::fs::write(dir.join("users.toml"), "").unwrap();
    let config = PolicyServerConfig::parse(
        "state_dir = \"state\"\nusers_file = \"users.toml\"\naudit.file = \"audit\"",
        "test",
        dir,
    );
    let opened = PolicyServer::open(config.unwrap(), Arc::new(SystemClock));
    opened.await.unwrap()
}

#[tokio::test]
async fn background_work_goes_on_after_a_panic() {
    let dir = tempfile::tempdir().unwrap();
    let server = server(dir.path()).await;
    let (rounds, third) = (Arc::new(AtomicU32::new(0)), Arc::new(Notify::new()));
    let work = {
        let (rounds, third) = (Arc::clone(&rounds), Arc::clone(&third));
        async move |_: &PolicyServer| match rounds.fetch_add(1, Ordering::Relaxed) {
            0 => panic!("on purpose"),
            1 => {}
            _ => third.notify_one(),
        }
    };
    let running = tokio::spawn(every(
        Duration::from_millis(1),
        Arc::downgrade(&server),
        work,
    ));
    let reached = tokio::time::timeout(Duration::from_secs(30), third.notified());
    reached.await.unwrap();
    running.abort();
}
