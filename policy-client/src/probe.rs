//! Asks a server that is out whether it is well again, in the background.

use std::sync::Weak;

use crate::jitter;
use crate::limits::PROBE_TIMEOUT;
use crate::servers::Servers;

/// Asks until the server is back, or nobody wants to know any more.
pub(crate) async fn run<F>(servers: Weak<Servers>, server: usize, ask: impl Fn() -> F)
where
    F: Future<Output = bool>,
{
    while let Some(pause) = servers.upgrade().and_then(|all| all.next_probe(server)) {
        tokio::time::sleep(jitter::up_to(pause)).await;
        let alive = tokio::time::timeout(PROBE_TIMEOUT, ask()).await;
        if let Some(servers) = servers.upgrade() {
            servers.probed(server, alive.unwrap_or(false));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::time::Instant;

    use super::*;
    use crate::servers::Blame;
    use crate::settings::ServerList;

    fn lost() -> Arc<Servers> {
        let servers = Servers::new(&ServerList::in_order(vec![String::from("one")]));
        servers.failed(0, Blame::Certain, Instant::now());
        Arc::new(servers)
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_is_asked_until_it_is_back() {
        let servers = lost();
        let asked = Cell::new(0);
        let begun = Instant::now();
        run(Arc::downgrade(&servers), 0, || {
            asked.set(asked.get() + 1);
            let answer = asked.get() == 10;
            async move { answer }
        })
        .await;
        assert_eq!(asked.get(), 10);
        assert_eq!(servers.turns(), [0]);
        let longest = Duration::from_millis(250 + 500 + 1000 + 7 * 2000);
        assert!(begun.elapsed() <= longest + Duration::from_millis(10));
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_says_nothing_is_asked_again() {
        let servers = lost();
        let asked = Cell::new(0);
        run(Arc::downgrade(&servers), 0, || {
            asked.set(asked.get() + 1);
            let silent = asked.get() < 3;
            async move {
                if silent {
                    std::future::pending::<()>().await;
                }
                true
            }
        })
        .await;
        assert_eq!(asked.get(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_asks_for_a_client_that_is_gone() {
        let servers = lost();
        let weak = Arc::downgrade(&servers);
        tokio::join!(run(weak, 0, async || false), async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            drop(servers);
        });
    }
}
