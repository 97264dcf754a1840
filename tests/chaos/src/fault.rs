//! What can break, and how it is broken and mended.

use std::fmt;
use std::time::Duration;

use crate::bounds::{BLIND, PASSED_OVER};
use crate::checker::{Agents, Effect};
use crate::installation::{COUNT, Installation, Member};
use crate::proxy::{Proxy, Way};
use crate::random::Random;
use crate::store::Engine;

/// What breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A policy server, or its links to agents.
    Server(usize),
    /// An agent, or its links to policy servers.
    Agent(usize),
    /// The store, or all links to it.
    Store,
    /// One policy server's link to the store.
    StoreOf(usize),
}

/// How.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// SIGKILL, and a start after a while.
    Kill,
    /// SIGSTOP and SIGCONT.
    Pause,
    /// Its links.
    Link(Way),
}

/// One fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What breaks.
    pub part: Part,
    /// How.
    pub harm: Harm,
    /// For how long.
    pub lasts: Duration,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.harm {
            Harm::Kill => write!(f, "killed")?,
            Harm::Pause => write!(f, "paused")?,
            Harm::Link(way) => write!(f, "link {way:?}")?,
        }
        write!(f, " for {:.1} s: ", self.lasts.as_secs_f32())?;
        match self.part {
            Part::Server(number) => write!(f, "policy server {number}"),
            Part::Agent(number) => write!(f, "agent {number}"),
            Part::Store => write!(f, "the store"),
            Part::StoreOf(number) => write!(f, "store of policy server {number}"),
        }
    }
}

/// The faults of a run with each of two engines: every fault there is happens with one of them, and those of the
/// store, which each engine has to bear, with both.
pub fn plans(random: &mut Random) -> [Vec<Fault>; 2] {
    let (store, others): (Vec<_>, _) = round(random)
        .into_iter()
        .partition(|fault| fault.part == Part::Store);
    let (one, other) = others.split_at(others.len() / 2);
    [one, other].map(|others| {
        let mut faults = [&store, others].concat();
        random.shuffle(&mut faults);
        faults
    })
}

/// Every kind of fault once, in any order.
pub fn round(random: &mut Random) -> Vec<Fault> {
    let [server, agent, other] = [0; 3].map(|_| random.below(COUNT));
    let mut faults = Vec::new();
    for part in [
        Part::Server(server),
        Part::Agent(agent),
        Part::Store,
        Part::StoreOf(other),
    ] {
        let links = [Way::Cut, Way::Held, Way::Slow].map(Harm::Link);
        let mut harms = links.to_vec();
        if !matches!(part, Part::StoreOf(_)) {
            harms.extend([Harm::Kill, Harm::Pause]);
        }
        if matches!(part, Part::Server(_) | Part::Agent(_)) {
            harms.extend([Way::Unheard, Way::Unanswered].map(Harm::Link));
        }
        for harm in harms {
            // A restart is short or long; what is only held up must last longer than anybody waits.
            let lasts = match harm {
                Harm::Kill => random.millis(100, 2000),
                Harm::Pause | Harm::Link(_) => random.millis(2000, 5500),
            };
            faults.push(Fault { part, harm, lasts });
        }
    }
    random.shuffle(&mut faults);
    faults
}

impl Fault {
    fn links<'a>(&self, all: &'a Installation) -> Vec<&'a Proxy> {
        match self.part {
            Part::Server(number) => all.links.iter().map(|links| &links[number]).collect(),
            Part::Agent(number) => all.links[number].iter().collect(),
            Part::Store => all.store_links.iter().collect(),
            Part::StoreOf(number) => vec![&all.store_links[number]],
        }
    }

    fn member<'a>(&self, all: &'a mut Installation) -> Option<&'a mut Member> {
        match self.part {
            Part::Server(number) => Some(&mut all.servers[number]),
            Part::Agent(number) => Some(&mut all.agents[number]),
            Part::Store | Part::StoreOf(_) => None,
        }
    }

    /// What it may do: `docs/src/operate/failures.md` says it to operators.
    pub fn effect(&self, engine: Engine) -> Effect {
        let is_slow = matches!(self.harm, Harm::Link(Way::Open | Way::Slow));
        // A session is validated with one message to Valkey. PostgreSQL may want a connection first, which takes
        // several, and over a slow link longer than a call may take.
        let bears_slowness = engine != Engine::Postgres;
        let failing = match self.part {
            Part::Agent(number) if !is_slow => Agents::One(number),
            Part::Store if !(is_slow && bears_slowness) => Agents::Everybody,
            _ => Agents::Nobody,
        };
        let alone = match (self.part, self.harm) {
            (_, Harm::Link(Way::Slow)) => Agents::Nobody,
            // It has no use for policy servers meanwhile.
            (Part::Agent(_), Harm::Kill | Harm::Pause) => Agents::Nobody,
            // Events arrive.
            (Part::Agent(_), Harm::Link(Way::Unheard)) => Agents::Nobody,
            _ => failing,
        };
        let logins = match self.part {
            // A login is several messages to any store.
            Part::Store | Part::StoreOf(_) if is_slow => Duration::MAX,
            Part::Server(_) if !is_slow => PASSED_OVER,
            Part::StoreOf(_) => BLIND + PASSED_OVER,
            Part::Server(_) | Part::Agent(_) | Part::Store => Duration::ZERO,
        };
        Effect {
            alone,
            failing,
            logins,
        }
    }

    /// Breaks it.
    pub fn inject(&self, all: &mut Installation) {
        match (self.harm, self.member(all)) {
            (Harm::Link(way), _) => self.links(all).into_iter().for_each(|link| link.set(way)),
            (Harm::Kill, Some(member)) => member.kill(),
            (Harm::Pause, Some(member)) => member.process().pause(),
            (Harm::Kill, None) => all.store.kill(),
            (Harm::Pause, None) => all.store.pause(),
        }
    }

    /// Mends it.
    pub async fn mend(&self, all: &mut Installation) {
        match (self.harm, self.member(all)) {
            (Harm::Link(_), _) => {
                self.links(all)
                    .into_iter()
                    .for_each(|link| link.set(Way::Open));
            }
            (Harm::Kill, Some(member)) => member.start().await,
            (Harm::Pause, Some(member)) => member.process().resume(),
            (Harm::Kill, None) => tokio::task::block_in_place(|| all.store.restart()),
            (Harm::Pause, None) => all.store.resume(),
        }
    }
}

#[cfg(test)]
mod tests;
