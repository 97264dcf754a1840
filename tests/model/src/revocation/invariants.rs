//! What an all-knowing observer notes, and what it judges by it: the invariants.

use super::world::{Agent, Link, Said, Since, World};
use super::{AgentId, Revocation, SessionNumber, bound};
use crate::explore::Violation;

impl World {
    /// Notes what the invariants are later judged by.
    pub(super) fn observe(&mut self, model: &Revocation) {
        for agent in 0..model.agents {
            let since = self.since_now(agent);
            for session in &mut self.store.sessions {
                if let Some(noted) = session.since.get_mut(agent) {
                    noted.undisturbed &= since.undisturbed;
                    noted.reachable &= since.reachable;
                }
            }
            let paused = self.agents[agent].paused;
            let reachable = if paused { 0 } else { self.reachable(agent) };
            for flight in &mut self.agents[agent].flights {
                flight.reachable &= reachable;
                flight.slept |= paused;
            }
        }
    }

    fn is_undisturbed(&self, agent: AgentId) -> bool {
        let Agent {
            paused,
            listening,
            ref link,
            ..
        } = self.agents[agent];
        let reachable = self.reachable(agent);
        let is_good = |link: &Link| {
            let server = link.server;
            link.open && reachable & (1 << server) != 0 && !self.servers[server].tail_stalled
        };
        listening && !paused && link.as_ref().is_some_and(is_good)
    }

    fn since_now(&self, agent: AgentId) -> Since {
        Since {
            undisturbed: self.is_undisturbed(agent),
            reachable: self.reachable(agent),
        }
    }

    /// Notes that a session is over, and that whoever ended it has been told.
    pub(super) fn note_end(&mut self, session: SessionNumber, replaced: bool) {
        let since = (0..self.agents.len())
            .map(|agent| self.since_now(agent))
            .collect();
        let now = self.now;
        let ended = &mut self.store.sessions[session];
        if ended.started.is_some() && ended.ended_at.is_none() {
            ended.ended_at = Some(now);
            ended.replaced = replaced;
            ended.since = since;
        }
    }

    /// I1, I3 and I6: judges that an agent lets in a request that began then. One whose agent `slept` while it
    /// waited is that of an agent that nobody could be asked from.
    pub(super) fn admitted(
        &self,
        model: &Revocation,
        agent: AgentId,
        session: SessionNumber,
        began: u8,
        slept: bool,
    ) -> Result<(), Violation> {
        if self.agents[agent].heard_end & (1 << session) != 0 {
            return Err(Violation {
                invariant: "I3",
                seen: format!("agent {agent} lets in session {session} after it heard of its end"),
            });
        }
        let over = &self.store.sessions[session];
        let Some(ended_at) = over.ended_at else {
            return Ok(());
        };
        let since = over.since[agent];
        let bound = if since.undisturbed {
            bound::UNDISTURBED
        } else if since.reachable != 0 && !slept {
            (bound::DISTURBED - model.stricter).min(model.bound_cut_off())
        } else {
            model.bound_cut_off()
        };
        if began < ended_at.saturating_add(bound) {
            return Ok(());
        }
        Err(Violation {
            invariant: if over.replaced { "I6" } else { "I1" },
            seen: format!(
                "agent {agent} lets in session {session}, {} ticks after its end ({since:?}, bound {bound})",
                began - ended_at
            ),
        })
    }

    /// I2: judges that an agent turns away a request, for good or for now.
    pub(super) fn refused(
        &self,
        agent: AgentId,
        session: SessionNumber,
        said: Said,
        reachable: u8,
    ) -> Result<(), Violation> {
        let lives = self.store.sessions[session].ended_at.is_none();
        if lives && (said != Said::Failure || reachable != 0) {
            return Err(Violation {
                invariant: "I2",
                seen: format!(
                    "agent {agent} refuses session {session}, which nobody ended: {said:?}"
                ),
            });
        }
        Ok(())
    }

    /// I4: judges what an agent believes to have heard.
    pub(super) fn complete(&self, agent: AgentId) -> Result<(), Violation> {
        let Agent {
            listening,
            position,
            heard,
            ..
        } = self.agents[agent];
        let Some((identity, sequence)) = position.filter(|_| listening) else {
            return Ok(());
        };
        match (1..=sequence).find(|number| heard & (1 << number) == 0) {
            Some(missed) => Err(Violation {
                invariant: "I4",
                seen: format!(
                    "agent {agent} stands at {sequence} of store {identity} without event {missed}, and knows of no gap"
                ),
            }),
            None => Ok(()),
        }
    }
}
