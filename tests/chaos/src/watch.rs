//! What everybody in a run writes into: the books of sessions, the timeline, the report, the violations.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::browser::Browser;
use crate::checker::{Outcome, Seen, Standing, Timeline, judge};
use crate::report::Report;

/// Violations that are printed at most: the first say what is wrong.
const PRINTED: usize = 20;

/// A session that a login was acknowledged for.
#[derive(Debug)]
pub struct Session {
    /// Whose.
    pub user: String,
    /// What it was logged in for.
    pub path: &'static str,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    /// The first cookie and the last: both are the session.
    cookies: [String; 2],
    standing: Standing,
    /// How its end was acknowledged.
    ended_by: &'static str,
    /// Since when it gets no answer of the application.
    without: Option<Duration>,
    /// Whether its user has left it alone: then nobody looks often enough to say how long an outage is.
    left: bool,
}

impl Session {
    /// How it stands.
    pub fn standing(&self) -> Standing {
        self.known.lock().unwrap().standing
    }

    /// From now on its end is asked for. False if it was before.
    pub fn ending(&self) -> bool {
        let mut known = self.known.lock().unwrap();
        let lives = known.standing == Standing::Living;
        if lives {
            known.standing = Standing::Ending;
        }
        lives
    }

    /// Its end was acknowledged.
    pub fn ended(&self, now: Duration, by: &'static str) {
        let mut known = self.known.lock().unwrap();
        if !matches!(known.standing, Standing::Ended(_)) {
            known.standing = Standing::Ended(now);
            known.ended_by = by;
        }
    }

    /// Its user does not come back.
    pub fn leave(&self) {
        let mut known = self.known.lock().unwrap();
        known.left = true;
        known.without = None;
    }

    /// One of its cookies.
    pub fn cookie(&self, which: usize) -> String {
        self.known.lock().unwrap().cookies[which % 2].clone()
    }
}

/// See the module.
#[derive(Debug)]
pub struct Watch {
    begun: Instant,
    /// Every session ever: nothing is taken off the books.
    sessions: Mutex<Vec<Arc<Session>>>,
    timeline: Mutex<Timeline>,
    report: Mutex<Report>,
    violations: Mutex<Vec<String>>,
    count: AtomicUsize,
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            begun: Instant::now(),
            sessions: Mutex::default(),
            timeline: Mutex::default(),
            report: Mutex::default(),
            violations: Mutex::default(),
            count: AtomicUsize::new(0),
        }
    }
}

impl Watch {
    /// The time, from the start of the run.
    pub fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Writes a session down.
    pub fn add(&self, user: &str, path: &'static str, cookie: String) -> Arc<Session> {
        let session = Arc::new(Session {
            user: user.to_owned(),
            path,
            known: Mutex::new(Known {
                cookies: [cookie.clone(), cookie],
                standing: Standing::Living,
                ended_by: "",
                without: None,
                left: false,
            }),
        });
        self.sessions.lock().unwrap().push(Arc::clone(&session));
        session
    }

    /// All sessions.
    pub fn sessions(&self) -> Vec<Arc<Session>> {
        self.sessions.lock().unwrap().clone()
    }

    /// A session by a random number.
    pub fn any(&self, number: usize) -> Option<Arc<Session>> {
        let sessions = self.sessions.lock().unwrap();
        let count = sessions.len();
        (count > 0).then(|| Arc::clone(&sessions[number % count]))
    }

    /// Makes a request with a session's cookie at an agent, and judges what comes of it.
    pub async fn visit(
        &self,
        session: &Session,
        agent: usize,
        browser: &Browser,
        which: usize,
    ) -> Outcome {
        let cookie = session.cookie(which);
        let before = session.standing();
        let sent = self.now();
        let (outcome, newer) = browser.visit(session.path, &cookie).await;
        let answered = self.now();
        let (after, ended_by, outage) = {
            let mut known = session.known.lock().unwrap();
            if let Some(newer) = newer {
                known.cookies[1] = newer;
            }
            let outage = match outcome {
                Outcome::Passed(_) => known.without.take().map(|since| answered - since),
                Outcome::Unavailable | Outcome::Silence
                    if known.standing == Standing::Living && !known.left =>
                {
                    known.without.get_or_insert(sent);
                    None
                }
                _ => None,
            };
            (known.standing, known.ended_by, outage)
        };
        let seen = Seen {
            agent,
            user: session.user.clone(),
            before,
            after,
            sent,
            answered,
            outcome,
        };
        {
            let mut report = self.report.lock().unwrap();
            report.count(&seen);
            if let Some(outage) = outage {
                report.outage(outage);
            }
        }
        let violation = judge(&seen, &self.timeline.lock().unwrap());
        if let Some(violation) = violation {
            let by = if ended_by.is_empty() {
                String::new()
            } else {
                format!(", ended by {ended_by}")
            };
            self.complain(&format!(
                "{violation}: {} at agent {agent}, {}{by}, {:?} before and {:?} after, sent at {sent:?}, answered at {answered:?}",
                seen.user, session.path, seen.before, seen.after
            ));
        }
        seen.outcome
    }

    /// A login that began at `begun` has failed.
    pub fn no_login(&self, user: &str, agent: usize, begun: Duration, outcome: &Outcome) {
        self.report(Report::no_login);
        let (excused, now) =
            self.timeline(|timeline, now| (timeline.excuses_login(agent, begun, now), now));
        if !excused {
            self.complain(&format!(
                "(b) a login got {outcome:?} where nothing excuses it: {user} at agent {agent}, begun at {begun:?}, over at {now:?}"
            ));
        }
    }

    /// Something that must not be.
    pub fn complain(&self, text: &str) {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let text = format!("{:?} in: {text}", self.now());
        if number < PRINTED {
            println!("VIOLATION {text}");
        }
        self.violations.lock().unwrap().push(text);
    }

    /// Whether something was wrong.
    pub fn violations(&self) -> Vec<String> {
        self.violations.lock().unwrap().clone()
    }

    /// The timeline.
    pub fn timeline<T>(&self, change: impl FnOnce(&mut Timeline, Duration) -> T) -> T {
        // The time under the lock: nobody judges by a timeline that is behind.
        let mut timeline = self.timeline.lock().unwrap();
        let now = self.now();
        change(&mut timeline, now)
    }

    /// The report.
    pub fn report<T>(&self, change: impl FnOnce(&mut Report) -> T) -> T {
        change(&mut self.report.lock().unwrap())
    }
}
