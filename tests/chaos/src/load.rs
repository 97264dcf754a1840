//! The load: users who log in, ask for things at all agents, log out, and are logged out by an administrator; and
//! others who try every cookie there ever was. All of it is checked.

use std::sync::Arc;
use std::time::Duration;

use policy_client::admin::AdminClient;
use policy_protocol::sessions::SessionQuery;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::bounds::DISTURBED;
use crate::browser::{Browser, Login};
use crate::checker::{Outcome, Standing};
use crate::installation::{COUNT, PASSWORD, USERS, user};
use crate::random::Random;
use crate::watch::{Session, Watch};

/// Those who try old cookies.
const REPLAYERS: u64 = 6;
/// Those who look at every session at the end.
const LOOKERS: usize = 16;
/// Pause between two attempts of a replayer.
const REPLAY_PAUSE: Duration = Duration::from_millis(40);
/// Pause between two requests that see whether an ended session is over at an agent.
const PURSUIT_PAUSE: Duration = Duration::from_millis(15);
/// Attempts to have an end acknowledged.
const ATTEMPTS: usize = 20;
/// Between them.
const RETRY: Duration = Duration::from_millis(250);

/// What every part of the load needs.
#[derive(Clone)]
pub struct Load {
    /// The books.
    pub watch: Arc<Watch>,
    /// The agents.
    pub browsers: Arc<Vec<Browser>>,
    /// Asks any policy server.
    pub administrator: Arc<AdminClient>,
    stopping: watch::Receiver<bool>,
}

/// The load, until it is told to stop.
#[derive(Debug)]
pub struct Running {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Load {
    /// Sets everybody to work.
    pub fn start(
        watch: Arc<Watch>,
        browsers: Vec<Browser>,
        administrator: AdminClient,
        random: &mut Random,
    ) -> Running {
        let (stop, stopping) = watch::channel(false);
        let load = Self {
            watch,
            browsers: Arc::new(browsers),
            administrator: Arc::new(administrator),
            stopping,
        };
        let mut tasks = JoinSet::new();
        for number in 0..USERS {
            let random = Random::new(random.next());
            tasks.spawn(load.clone().live(user(number), random));
        }
        for _ in 0..REPLAYERS {
            let random = Random::new(random.next());
            tasks.spawn(load.clone().replay(random));
        }
        Running { stop, tasks }
    }

    fn is_over(&self) -> bool {
        *self.stopping.borrow()
    }

    async fn pause(&self, time: Duration) {
        let mut stopping = self.stopping.clone();
        // An error means that the time is over.
        _ = tokio::time::timeout(time, stopping.wait_for(|stopping| *stopping)).await;
    }

    /// A user's days.
    async fn live(self, user: String, mut random: Random) {
        // Not all at once.
        self.pause(random.millis(0, 3000)).await;
        while !self.is_over() {
            let sessions = self.log_in(&user, &mut random).await;
            for _ in 0..4 + random.below(24) {
                for session in &sessions {
                    let agent = random.below(COUNT);
                    let browser = &self.browsers[agent];
                    self.watch.visit(session, agent, browser, 1).await;
                }
                self.pause(random.millis(200, 1200)).await;
                if self.is_over() {
                    return;
                }
            }
            self.end(&user, sessions, &mut random).await;
        }
    }

    /// One session, or two.
    async fn log_in(&self, user: &str, random: &mut Random) -> Vec<Arc<Session>> {
        let mut sessions = Vec::new();
        for _ in 0..=random.below(2) {
            let agent = random.below(COUNT);
            let browser = &self.browsers[agent];
            let path = ["/app/", "/stored/"][random.below(2)];
            let begun = self.watch.now();
            match browser.login(path, user, PASSWORD).await {
                Login::Yes(cookie) => sessions.push(self.watch.add(user, path, cookie)),
                Login::NotNow(outcome) => {
                    self.watch.no_login(user, agent, begun, &outcome);
                    self.pause(RETRY).await;
                }
                Login::Odd(what) => self
                    .watch
                    .complain(&format!("a login of {user} got {what}")),
            }
        }
        sessions
    }

    /// Some sessions are left alone, and must live on; most end.
    async fn end(&self, user: &str, sessions: Vec<Arc<Session>>, random: &mut Random) {
        match random.below(10) {
            0 | 1 => sessions.iter().for_each(|session| session.leave()),
            2 | 3 => self.revoke(user, random).await,
            _ => {
                for session in sessions {
                    self.log_out(session, random).await;
                }
            }
        }
    }

    async fn log_out(&self, session: Arc<Session>, random: &mut Random) {
        session.ending();
        for _ in 0..ATTEMPTS {
            let browser = &self.browsers[random.below(COUNT)];
            if browser.logout(&session.cookie(random.below(2))).await {
                session.ended(self.watch.now(), "logout");
                self.pursue(session);
                return;
            }
            self.pause(RETRY).await;
            if self.is_over() {
                return;
            }
        }
    }

    /// An administrator ends all that the user has: at a blow, or one by one.
    async fn revoke(&self, user: &str, random: &mut Random) {
        let all = self.watch.sessions();
        let ending: Vec<_> = all
            .into_iter()
            .filter(|session| session.user == user && session.ending())
            .collect();
        let at_a_blow = random.below(2) == 0;
        for _ in 0..ATTEMPTS {
            let done = if at_a_blow {
                self.administrator.revoke_user(user).await.is_ok()
            } else {
                self.revoke_one_by_one(user, ending.len()).await
            };
            if done {
                for session in ending {
                    let by = if at_a_blow {
                        "the user's revocation"
                    } else {
                        "its revocation"
                    };
                    session.ended(self.watch.now(), by);
                    self.pursue(session);
                }
                return;
            }
            self.pause(RETRY).await;
            if self.is_over() {
                return;
            }
        }
    }

    /// Whether all were found and ended. What an earlier attempt ended is not found any more.
    async fn revoke_one_by_one(&self, user: &str, expected: usize) -> bool {
        let Ok(found) = self.administrator.sessions(&sessions_of(user)).await else {
            return false;
        };
        if found.sessions.len() < expected {
            return self.administrator.revoke_user(user).await.is_ok();
        }
        for session in found.sessions {
            if self.administrator.revoke_session(session.id).await.is_err() {
                return false;
            }
        }
        true
    }

    /// Asks every agent with an ended session, until it refuses or the bound is over: the watch complains.
    fn pursue(&self, session: Arc<Session>) {
        for agent in 0..COUNT {
            let (load, session) = (self.clone(), Arc::clone(&session));
            tokio::spawn(async move {
                let begun = load.watch.now();
                while load.watch.now() < begun + 3 * DISTURBED && !load.is_over() {
                    let browser = &load.browsers[agent];
                    if load.watch.visit(&session, agent, browser, 1).await == Outcome::Login {
                        return;
                    }
                    load.pause(PURSUIT_PAUSE).await;
                }
            });
        }
    }

    /// Tries any cookie there ever was, at any agent.
    async fn replay(self, mut random: Random) {
        while !self.is_over() {
            if let Some(session) = self.watch.any(random.below(usize::MAX)) {
                let agent = random.below(COUNT);
                let browser = &self.browsers[agent];
                self.watch
                    .visit(&session, agent, browser, random.below(2))
                    .await;
            }
            self.pause(REPLAY_PAUSE).await;
        }
    }
}

/// All that a user has.
pub fn sessions_of(user: &str) -> SessionQuery {
    SessionQuery {
        user: Some(user.to_owned()),
        ..SessionQuery::default()
    }
}

impl Running {
    /// Everybody goes home: requests that are under way run to their end.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap();
        }
    }
}

/// Looks at every session at every agent once more. Returns how many live and how many have ended.
pub async fn look_at_all(watch: &Arc<Watch>, browsers: &[Browser]) -> (usize, usize) {
    let mut looking = JoinSet::new();
    let (mut living, mut ended) = (0, 0);
    for session in watch.sessions() {
        session.leave();
        match session.standing() {
            Standing::Living => living += 1,
            Standing::Ended(_) => ended += 1,
            Standing::Ending => {}
        }
        if looking.len() == LOOKERS {
            looking.join_next().await.unwrap().unwrap();
        }
        let (watch, browsers) = (Arc::clone(watch), browsers.to_vec());
        looking.spawn(async move {
            for (agent, browser) in browsers.iter().enumerate() {
                // The last cookie everywhere, and the first somewhere.
                watch.visit(&session, agent, browser, 1).await;
            }
            watch.visit(&session, 0, &browsers[0], 0).await;
        });
    }
    while let Some(looked) = looking.join_next().await {
        looked.unwrap();
    }
    (living, ended)
}
