//! Agents are added, get new credentials, and are removed.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use policy_client::PolicyError;
use policy_protocol::administration::{
    AddAgentRequest, AgentAnswer, AgentReport, AgentsReport, CredentialReport, RotateAgentRequest,
};
use policy_protocol::{EventKind, Secret, Timestamp};

use super::{Credential, Hash, Registration, record};
use crate::config::is_agent_name;
use crate::server::{PolicyServer, failure};
use crate::store::{RecordChange, RecordKind};

/// Secrets, or certificates, that hold at a time. An agent that is rotated oftener than its old credentials
/// expire is a mistake.
const MAX_CREDENTIALS: usize = 8;
/// Agents that can be registered: all are read at every change.
const MAX_AGENTS: usize = 10_000;
/// Old credentials hold for this long at most.
const MAX_GRACE: Duration = Duration::from_secs(31 * 24 * 3600);

impl PolicyServer {
    /// All agents, and where they are.
    ///
    /// # Errors
    /// If the store failed.
    pub async fn agents_report(&self) -> Result<AgentsReport, PolicyError> {
        self.record("list-agents", "", None).await?;
        let servers = self.presence.everywhere(&*self.store, self.now());
        let servers = servers.await.map_err(failure)?;
        let all = self.agents.all();
        let agents = all.by_name.iter().map(|(name, registration)| AgentReport {
            name: name.to_string(),
            created: registration.created,
            secrets: report(&registration.secrets, self.now(), |_| None),
            certificates: report(&registration.certificates, self.now(), |hash| {
                Some(hash.to_hex())
            }),
        });
        Ok(AgentsReport {
            agents: agents.collect(),
            servers,
        })
    }

    /// Adds an agent with a new secret, a certificate, or both.
    ///
    /// # Errors
    /// If the store failed; whether the agent was added is then not known.
    pub async fn add_agent(&self, request: &AddAgentRequest) -> Result<AgentAnswer, PolicyError> {
        self.recorded_first("add-agent", &request.name, None, self.add(request))
            .await
    }

    async fn add(&self, request: &AddAgentRequest) -> Result<AgentAnswer, PolicyError> {
        let AddAgentRequest {
            name,
            secret,
            certificate,
        } = request;
        if !is_agent_name(name) {
            return no("a name is 1 to 64 visible ASCII characters without a colon");
        }
        let all = self.agents.all();
        if let Some(there) = all.by_name.get(name.as_str()) {
            return no(match there.created {
                Some(_) => "there is an agent of this name: rotate or remove it",
                None => CONFIGURED,
            });
        }
        if all.by_name.len() >= MAX_AGENTS {
            return no("there are as many agents as there may be");
        }
        let certificate = match certificate.as_deref().map(Hash::from_hex) {
            Some(None) => return no(NO_FINGERPRINT),
            certificate => certificate.flatten(),
        };
        if !secret && certificate.is_none() {
            return no("an agent needs a secret, a certificate, or both");
        }
        let secret = secret.then(new_secret).transpose()?;
        let registration = Registration {
            secrets: secret.iter().map(credential).collect(),
            certificates: certificate.map(Credential::new).into_iter().collect(),
            created: Some(self.now()),
        };
        if self.write_agent(name, Some(&registration), 0).await? {
            Ok(AgentAnswer::Yes { secret })
        } else {
            no("there is an agent of this name: rotate or remove it")
        }
    }

    /// Gives an agent a new secret or certificate, beside which the old ones hold for a while.
    ///
    /// # Errors
    /// If the store failed; whether the new one holds is then not known.
    pub async fn rotate_agent(
        &self,
        name: &str,
        request: &RotateAgentRequest,
    ) -> Result<AgentAnswer, PolicyError> {
        self.recorded_first("rotate-agent", name, None, self.rotate(name, request))
            .await
    }

    async fn rotate(
        &self,
        name: &str,
        request: &RotateAgentRequest,
    ) -> Result<AgentAnswer, PolicyError> {
        if request.grace > MAX_GRACE {
            return no("old credentials may hold for 31 days at most");
        }
        let certificate = match request.certificate.as_deref().map(Hash::from_hex) {
            Some(None) => return no(NO_FINGERPRINT),
            certificate => certificate.flatten(),
        };
        // Whoever changes it at the same time goes first, at the store.
        loop {
            let (mut registration, version) = match self.agent_record(name).await? {
                Ok(found) => found,
                Err(problem) => return no(problem),
            };
            let now = self.now();
            let until = now.plus(request.grace);
            let secret = match certificate {
                None if registration.secrets.is_empty() => {
                    return no("this agent has no secret: name its new certificate");
                }
                None => Some(new_secret()?),
                Some(_) => None,
            };
            let (has, new) = match (&secret, certificate) {
                (Some(secret), _) => (&mut registration.secrets, credential(secret)),
                (None, Some(hash)) => (&mut registration.certificates, Credential::new(hash)),
                (None, None) => return Err(PolicyError::Failure),
            };
            has.retain(|old| old.holds(now) && !old.hash.matches(&new.hash));
            if has.len() >= MAX_CREDENTIALS {
                return no("this agent was rotated too often: eight credentials still hold");
            }
            for old in has.iter_mut() {
                old.expires = Some(old.expires.map_or(until, |expires| expires.min(until)));
            }
            has.insert(0, new);
            if self.write_agent(name, Some(&registration), version).await? {
                return Ok(AgentAnswer::Yes { secret });
            }
        }
    }

    /// Removes an agent: it gets nothing any more, and its event streams end. Returns whether there was one.
    ///
    /// # Errors
    /// If the store failed; the agent may then still be there.
    pub async fn remove_agent(&self, name: &str) -> Result<bool, PolicyError> {
        self.recorded_after("remove-agent", name, None, self.remove(name))
            .await
    }

    async fn remove(&self, name: &str) -> Result<bool, PolicyError> {
        loop {
            let record = self.store.record(RecordKind::Agent, name).await;
            let Some(record) = record.map_err(failure)? else {
                return Ok(false);
            };
            if self.write_agent(name, None, record.version).await? {
                return Ok(true);
            }
        }
    }

    /// A registered agent and the version of its record, or why there is none.
    async fn agent_record(
        &self,
        name: &str,
    ) -> Result<Result<(Registration, u64), &'static str>, PolicyError> {
        let all = self.agents.all();
        if all.by_name.get(name).is_some_and(|it| it.created.is_none()) {
            return Ok(Err(CONFIGURED));
        }
        let record = self.store.record(RecordKind::Agent, name).await;
        let Some(record) = record.map_err(failure)? else {
            return Ok(Err("there is no agent of this name"));
        };
        let registration = record::open(&self.master_key, name, &record.value).map_err(failure)?;
        Ok(Ok((registration, record.version)))
    }

    /// Writes a record, or removes it, and heeds it here at once. Returns whether it had that version.
    async fn write_agent(
        &self,
        name: &str,
        registration: Option<&Registration>,
        expected: u64,
    ) -> Result<bool, PolicyError> {
        let sealed = registration.map(|it| record::seal(&self.master_key, name, it));
        let change = RecordChange {
            kind: RecordKind::Agent,
            name: name.to_owned(),
            value: sealed.transpose().map_err(failure)?,
            expected,
            expires: None,
            announce: Some(EventKind::AgentsChanged),
        };
        let written = self.store.change_record(change).await.map_err(failure)?;
        self.agents.reload().await.map_err(failure)?;
        Ok(written)
    }
}

const CONFIGURED: &str = "this agent stands in the configuration file of the policy servers, under \
                          [[agents]]: change it there, and restart them";
const NO_FINGERPRINT: &str = "a certificate is named by its SHA-256 in hex";

fn no(problem: &str) -> Result<AgentAnswer, PolicyError> {
    Ok(AgentAnswer::No {
        problem: problem.to_owned(),
    })
}

fn report(
    credentials: &[Credential],
    now: Timestamp,
    fingerprint: impl Fn(Hash) -> Option<String>,
) -> Vec<CredentialReport> {
    credentials
        .iter()
        .filter(|credential| credential.holds(now))
        .map(|credential| CredentialReport {
            fingerprint: fingerprint(credential.hash),
            expires: credential.expires,
        })
        .collect()
}

/// 32 random bytes in a form that stands anywhere.
fn new_secret() -> Result<Secret<String>, PolicyError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(failure)?;
    let bytes = Secret::new(bytes);
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(bytes.expose())))
}

fn credential(secret: &Secret<String>) -> Credential {
    Credential::new(Hash::of(secret.expose().as_bytes()))
}
