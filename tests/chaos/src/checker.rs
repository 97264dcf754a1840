//! What must hold, judged request by request.
//!
//! * **(a)** No request of a session whose end was acknowledged passes after the bound, at no agent, ever after.
//! * **(b)** No good session is sent to the login page, ever. It gets 503, or nothing, only from agents that the fault
//!   excuses ([`Effect::failing`]), from its start to [`RECOVERY`] after its end. While one of several policy servers is
//!   broken, that is nobody: only a login may fail then, until the policy server is passed over ([`Effect::logins`]).
//! * **(c)** No two users are mixed: the application is told the name of the cookie's user.
//! * **(d)** No acknowledged act is lost: (a) and (b) hold for what was acknowledged before policy servers and the
//!   store were killed. So sessions are never taken off the books, and all of them are looked at once more at the end.
//!
//! Times are counted from the start of the run.

use std::fmt;
use std::time::Duration;

use crate::bounds::{CALM, DISTURBED, RECOVERY};

/// How a session stands by what its user was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Its login was acknowledged, and nobody has asked for its end.
    Living,
    /// Its end was asked for, and not acknowledged: it may be either.
    Ending,
    /// Its end was acknowledged at this time.
    Ended(Duration),
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The application answered, and was told this user.
    Passed(String),
    /// Sent to the login page.
    Login,
    /// 503.
    Unavailable,
    /// No answer.
    Silence,
    /// Another status.
    Other(u16),
}

/// A request with a session's cookie.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Which agent was asked.
    pub agent: usize,
    /// The cookie's user.
    pub user: String,
    /// How the session stood before the request was sent.
    pub before: Standing,
    /// How it stood when the answer was there.
    pub after: Standing,
    /// When it was sent.
    pub sent: Duration,
    /// When the answer was there.
    pub answered: Duration,
    /// What came of it.
    pub outcome: Outcome,
}

/// Some of the agents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agents {
    /// None.
    Nobody,
    /// One.
    One(usize),
    /// All.
    Everybody,
}

impl Agents {
    fn has(self, agent: usize) -> bool {
        match self {
            Self::Nobody => false,
            Self::One(number) => number == agent,
            Self::Everybody => true,
        }
    }
}

/// What a fault may do, by what is documented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effect {
    /// Who has nobody to ask: no policy server, or none that has the store. What is cached then goes on for the realm's
    /// validation period (minutes), so this time does not count.
    pub alone: Agents,
    /// Who may answer 503, or nothing, to a good session and to logins.
    pub failing: Agents,
    /// For how long from the start of the fault logins that begin may fail at every agent, if it lasts so long.
    pub logins: Duration,
}

impl Effect {
    /// Of what breaks everything.
    pub const EVERYTHING: Self = Self {
        alone: Agents::Everybody,
        failing: Agents::Everybody,
        logins: Duration::ZERO,
    };
}

/// What was broken, and when.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    faults: Vec<Span>,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    from: Duration,
    /// Absent while it lasts.
    mended: Option<Duration>,
    /// Absent until everything works again.
    to: Option<Duration>,
    effect: Effect,
}

impl Span {
    fn common(&self, from: Duration, to: Duration) -> Duration {
        let end = self.to.unwrap_or(Duration::MAX).min(to);
        end.saturating_sub(self.from.max(from))
    }

    fn touches(&self, from: Duration, to: Duration) -> bool {
        self.from <= to && self.to.is_none_or(|end| end >= from)
    }

    /// Whether a request in this time may fail at this agent. The end of the fault and the bound of the recovery
    /// bound how long.
    fn excuses(&self, agent: usize, from: Duration, to: Duration) -> bool {
        self.effect.failing.has(agent)
            && self.touches(from, to)
            && self.mended.is_none_or(|mended| from <= mended + RECOVERY)
    }
}

impl Timeline {
    /// Something is broken from now on.
    pub fn begin(&mut self, effect: Effect, now: Duration) {
        self.faults.push(Span {
            from: now,
            mended: None,
            to: None,
            effect,
        });
    }

    /// The fault is over: everything has to work again soon.
    pub fn mended(&mut self, now: Duration) {
        self.faults.last_mut().unwrap().mended = Some(now);
    }

    /// Everything works again.
    pub fn end(&mut self, now: Duration) {
        self.faults.last_mut().unwrap().to = Some(now);
    }

    /// Whether nothing was broken in this time.
    pub fn was_calm(&self, from: Duration, to: Duration) -> bool {
        !self.faults.iter().any(|span| span.touches(from, to))
    }

    /// Whether a request may have failed.
    fn excuses(&self, agent: usize, from: Duration, to: Duration) -> bool {
        self.faults.iter().any(|span| span.excuses(agent, from, to))
    }

    /// Whether a login may have failed.
    pub fn excuses_login(&self, agent: usize, from: Duration, to: Duration) -> bool {
        let passing_over = |span: &Span| {
            span.touches(from, to) && from < span.from.saturating_add(span.effect.logins)
        };
        self.excuses(agent, from, to) || self.faults.iter().any(passing_over)
    }

    /// For how long an agent had nobody to ask.
    fn alone(&self, agent: usize, from: Duration, to: Duration) -> Duration {
        let spans = self.faults.iter();
        let spans = spans.filter(|span| span.effect.alone.has(agent));
        spans.map(|span| span.common(from, to)).sum()
    }
}

/// What must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// (a) and (d): a request of an ended session passed, so late after the acknowledgement.
    Revived {
        /// How late.
        late: Duration,
        /// How late it may be.
        bound: Duration,
    },
    /// (b) and (d): a good session was sent to the login page.
    Refused,
    /// (b): a good session got no answer, and nothing that was broken excuses it.
    Outage(Outcome),
    /// (c): the application was told somebody else.
    Mixed {
        /// Whom.
        told: String,
    },
    /// An answer for which there is no reason.
    Odd(u16),
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Revived { late, bound } => write!(
                f,
                "(a) a request passed {late:?} after the session's end was acknowledged; the bound is {bound:?}"
            ),
            Self::Refused => write!(f, "(b) a good session was sent to the login page"),
            Self::Outage(outcome) => {
                write!(
                    f,
                    "(b) a good session got {outcome:?} where nothing excuses it"
                )
            }
            Self::Mixed { told } => write!(f, "(c) the application was told that it is {told:?}"),
            Self::Odd(status) => write!(f, "a status of {status}"),
        }
    }
}

/// How late after the acknowledged end of its session a request was sent that passed.
pub fn lateness(seen: &Seen) -> Option<Duration> {
    match (seen.before, &seen.outcome) {
        (Standing::Ended(at), Outcome::Passed(_)) => Some(seen.sent.saturating_sub(at)),
        _ => None,
    }
}

/// Judges one request.
pub fn judge(seen: &Seen, timeline: &Timeline) -> Option<Violation> {
    match &seen.outcome {
        Outcome::Passed(told) if *told != seen.user => {
            return Some(Violation::Mixed { told: told.clone() });
        }
        Outcome::Other(status) => return Some(Violation::Odd(*status)),
        _ => {}
    }
    if let (Some(late), Standing::Ended(at)) = (lateness(seen), seen.before) {
        let bound = if timeline.was_calm(at, seen.sent) {
            CALM
        } else {
            DISTURBED + timeline.alone(seen.agent, at, seen.sent)
        };
        return (late > bound).then_some(Violation::Revived { late, bound });
    }
    if (seen.before, seen.after) != (Standing::Living, Standing::Living) {
        return None;
    }
    match &seen.outcome {
        Outcome::Login => Some(Violation::Refused),
        Outcome::Unavailable | Outcome::Silence
            if !timeline.excuses(seen.agent, seen.sent, seen.answered) =>
        {
            Some(Violation::Outage(seen.outcome.clone()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
