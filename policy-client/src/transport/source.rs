//! One server, for what goes on beside calls: whether it is well, and probes until it is.

use std::sync::Arc;

use reqwest::{Client, StatusCode, Url};
use tokio::time::Instant;

use super::address::address;
use crate::probe;
use crate::servers::{Blame, Servers};
use crate::settings::Dialect;

/// The server.
pub(crate) struct Source {
    pub(super) client: Client,
    pub(super) dialect: Dialect,
    pub(super) base: Url,
    pub(super) servers: Arc<Servers>,
    /// Its index there.
    pub(super) server: usize,
}

impl Source {
    /// A stream from here is silent although it should not be: calls need not find that out once more.
    pub(crate) fn fell_silent(&self) {
        if self
            .servers
            .failed(self.server, Blame::Certain, Instant::now())
        {
            self.probe();
        }
    }

    /// Probes the server in the background until it is back.
    pub(super) fn probe(&self) {
        let servers = Arc::downgrade(&self.servers);
        let (client, dialect, base) = (self.client.clone(), self.dialect, self.base.clone());
        let ask = move || is_well(client.clone(), dialect, base.clone());
        tokio::spawn(probe::run(servers, self.server, ask));
    }
}

/// Asks one server whether it is well.
pub(super) async fn is_well(client: Client, dialect: Dialect, base: Url) -> bool {
    if dialect == Dialect::Foreign {
        // There is no address where all of them say so: any answer but a failure has to do.
        let answer = client.get(base).send().await;
        return answer.is_ok_and(|answer| !answer.status().is_server_error());
    }
    let [ready, live] = ["ready", "live"].map(|path| address(&base, &[path], &[]));
    match client.get(ready).send().await.map(|answer| answer.status()) {
        // One that does not say whether it is ready: alive has to do.
        Ok(StatusCode::NOT_FOUND) => client
            .get(live)
            .send()
            .await
            .is_ok_and(|answer| answer.status().is_success()),
        Ok(status) => status.is_success(),
        Err(_) => false,
    }
}
