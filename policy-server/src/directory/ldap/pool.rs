//! Connections to the servers of a directory: bounded, reused, and to the first server that answers.
//!
//! A server that fails is asked last from then on, and looked at every second in the background; as soon
//! as it answers again it has its old place. So it costs one call its time limit, not every call.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use ldap3::{Ldap, LdapConnAsync, LdapConnSettings};
use rustls::ClientConfig;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::operation::{Failed, Operation, SUCCESS};
use crate::config::ldap::LdapSettings;

/// How often a server that failed is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// Firewalls forget connections that are idle for longer, and then swallow what is sent.
const MAX_IDLE: Duration = Duration::from_secs(60);

/// Connections to the servers of a directory.
pub(super) struct Pool {
    settings: LdapSettings,
    tls: Arc<ClientConfig>,
    servers: Vec<Server>,
    /// Connections with the service's identity.
    service: Lane,
    /// Connections on which users bind.
    users: Lane,
    itself: Weak<Self>,
}

struct Server {
    url: String,
    down: AtomicBool,
}

/// Connections of one kind.
struct Lane {
    /// One for each connection that may be in use.
    permits: Semaphore,
    idle: Mutex<Vec<Connection>>,
}

/// Whoever gives up in the middle of an operation drops the connection with it, so an idle connection
/// never has an answer under way.
struct Connection {
    ldap: Ldap,
    server: usize,
    /// When it was last used.
    used: Instant,
}

impl Lane {
    fn new(connections: u16) -> Self {
        Self {
            permits: Semaphore::new(usize::from(connections)),
            idle: Mutex::new(Vec::new()),
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An idle connection to a server; those that the server has closed are dropped.
    fn take(&self, server: usize) -> Option<Connection> {
        let mut idle = self.idle();
        idle.retain_mut(|connection| {
            !connection.ldap.is_closed() && connection.used.elapsed() < MAX_IDLE
        });
        let place = idle
            .iter()
            .rposition(|connection| connection.server == server)?;
        Some(idle.swap_remove(place))
    }
}

impl Pool {
    pub(super) fn new(settings: LdapSettings, tls: Arc<ClientConfig>) -> Arc<Self> {
        let servers = settings.servers.iter().map(|server| Server {
            url: server.to_string(),
            down: AtomicBool::new(false),
        });
        let servers = servers.collect();
        Arc::new_cyclic(|itself| Self {
            servers,
            service: Lane::new(settings.connections),
            users: Lane::new(settings.connections),
            tls,
            settings,
            itself: Weak::clone(itself),
        })
    }

    /// Asks the first server that answers.
    ///
    /// # Errors
    /// If none answers, or the answer is none.
    pub(super) async fn run<O: Operation>(&self, operation: &O) -> Result<O::Answer, Failed> {
        let lane = if O::AS_SERVICE {
            &self.service
        } else {
            &self.users
        };
        let limit = self.settings.timeout;
        let permit = timeout(limit, lane.permits.acquire()).await;
        let _permit = permit
            .map_err(|_| Failed::Busy)?
            .map_err(|_| Failed::Busy)?;
        let is_down = |server: &usize| self.servers[*server].down.load(Ordering::Relaxed);
        let (down, mut order): (Vec<usize>, Vec<usize>) =
            (0..self.servers.len()).partition(is_down);
        order.extend(down);
        let mut last = Failed::Server(String::from("there is no server"));
        for server in order {
            match self.ask(operation, lane, server).await {
                Err(Failed::Server(problem) | Failed::Connection(problem)) => {
                    self.mark_down(server, &problem);
                    last = Failed::Server(format!("{}: {problem}", self.servers[server].url));
                }
                answer => {
                    self.mark_up(server);
                    return answer;
                }
            }
        }
        Err(last)
    }

    async fn ask<O: Operation>(
        &self,
        operation: &O,
        lane: &Lane,
        server: usize,
    ) -> Result<O::Answer, Failed> {
        let limit = self.settings.timeout;
        if O::REUSABLE {
            while let Some(mut connection) = lane.take(server) {
                match timeout(limit, operation.run(&mut connection.ldap)).await {
                    // It has died unnoticed. That says nothing of the server.
                    Ok(Err(Failed::Connection(_))) => {}
                    Ok(answer) => return self.keep(lane, connection, answer),
                    Err(_) => return Err(silent(limit)),
                }
            }
        }
        let connecting = timeout(limit, self.connect(server, O::AS_SERVICE));
        let mut connection = connecting.await.unwrap_or_else(|_| Err(silent(limit)))?;
        let answer = timeout(limit, operation.run(&mut connection.ldap)).await;
        match answer.unwrap_or_else(|_| Err(silent(limit))) {
            // It may have been done; it is not done twice.
            Err(Failed::Server(problem) | Failed::Connection(problem)) if !O::REUSABLE => {
                Err(Failed::Anywhere(problem))
            }
            answer if O::REUSABLE => self.keep(lane, connection, answer),
            answer => answer,
        }
    }

    /// Keeps the connection for the next one, unless it is broken or a better server is back.
    fn keep<T>(
        &self,
        lane: &Lane,
        mut connection: Connection,
        answer: Result<T, Failed>,
    ) -> Result<T, Failed> {
        let is_up = |server: &Server| !server.down.load(Ordering::Relaxed);
        let best = self.servers.iter().position(is_up);
        if answer.is_ok() && best.is_none_or(|best| connection.server <= best) {
            connection.used = Instant::now();
            lane.idle().push(connection);
        }
        answer
    }

    async fn connect(&self, server: usize, as_service: bool) -> Result<Connection, Failed> {
        let settings = LdapConnSettings::new()
            .set_config(Arc::clone(&self.tls))
            .set_starttls(self.settings.start_tls);
        let url = &self.servers[server].url;
        let (connection, mut ldap) = LdapConnAsync::with_settings(settings, url).await?;
        tokio::spawn(async move {
            if let Err(error) = connection.drive().await {
                tracing::debug!(%error, "LDAP connection ended");
            }
        });
        if let Some((dn, password)) = self.settings.service.as_ref().filter(|_| as_service) {
            let result = ldap.simple_bind(dn, password.expose()).await?;
            if result.rc != SUCCESS {
                return Err(Failed::Server(format!("cannot bind as {dn}: {result}")));
            }
        }
        let used = Instant::now();
        Ok(Connection { ldap, server, used })
    }

    fn mark_down(&self, server: usize, problem: &str) {
        if self.servers[server].down.swap(true, Ordering::Relaxed) {
            return;
        }
        tracing::warn!(
            server = self.servers[server].url,
            problem,
            "LDAP server does not answer"
        );
        let pool = Weak::clone(&self.itself);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(LOOK).await;
                let Some(pool) = pool.upgrade() else { return };
                let is_back = !pool.servers[server].down.load(Ordering::Relaxed);
                if is_back || pool.look(server).await {
                    return;
                }
            }
        });
    }

    /// Whether a server answers again.
    async fn look(&self, server: usize) -> bool {
        let connected = timeout(self.settings.timeout, self.connect(server, true)).await;
        let answers = matches!(connected, Ok(Ok(_)));
        if answers {
            self.mark_up(server);
        }
        answers
    }

    fn mark_up(&self, server: usize) {
        if self.servers[server].down.swap(false, Ordering::Relaxed) {
            tracing::info!(
                server = self.servers[server].url,
                "LDAP server answers again"
            );
            for lane in [&self.service, &self.users] {
                lane.idle().retain(|connection| connection.server <= server);
            }
        }
    }
}

fn silent(limit: Duration) -> Failed {
    Failed::Server(format!("no answer within {} seconds", limit.as_secs()))
}
