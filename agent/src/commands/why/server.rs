//! The policy server's part: who the user is, and what its policies say.

use std::collections::BTreeMap;

use agent::config::Config;
#[cfg(feature = "embedded")]
use agent::config::PolicyServerKind;
use agent::http::target::RequestTarget;
use policy_protocol::explain::{ExplainAnswer, ExplainRequest, Step};
use policy_protocol::message::{AuthorizeAnswer, ResponseAttribute};
use policy_protocol::{Identity, ResourceContext, UserDirectory};

use super::Options;
use crate::commands::{admin, control_runtime};

/// What a policy server says.
pub(super) struct Said {
    /// Who the user is.
    pub(super) identity: Identity,
    /// What policies say, if they could be asked.
    pub(super) policies: Option<Policies>,
}

/// What policies say.
pub(super) struct Policies {
    realm: Option<String>,
    steps: Vec<Step>,
    pub(super) decision: AuthorizeAnswer,
}

/// Asks the policy server at `--url`, or else the one in the agent's configuration as far as its files
/// tell.
pub(super) fn ask(
    options: &Options,
    config: &Config,
    target: &RequestTarget,
    user: &str,
) -> Result<Said, String> {
    let request = ExplainRequest {
        user: user.to_owned(),
        directory: options.directory.clone(),
        identity: described(options, user),
        resource: ResourceContext {
            agent: config.agent_name.clone(),
            server: target.host().to_owned(),
            resource: target.resource().to_owned(),
            action: target.method().as_str().to_owned(),
        },
        from: options.client,
        at: options.at,
    };
    if let (Some(url), Some(secret_file)) = (&options.url, &options.secret_file) {
        let client = admin::client(url, options.ca_file.as_deref(), secret_file)?;
        let runtime = control_runtime().map_err(|error| error.to_string())?;
        let answer = runtime.block_on(client.explain(&request));
        return said(answer.map_err(|error| error.to_string())?, user);
    }
    #[cfg(feature = "embedded")]
    if let PolicyServerKind::Embedded { config_file } = &config.policy_server.kind {
        return said(embedded(config_file, &request)?, user);
    }
    match request.identity {
        Some(identity) => Ok(Said {
            identity: *identity,
            policies: None,
        }),
        None => Err(String::from(
            "the users are at another policy server: say its --url, or --group and --attribute yourself",
        )),
    }
}

fn said(answer: ExplainAnswer, user: &str) -> Result<Said, String> {
    match answer {
        ExplainAnswer::Explained {
            identity,
            realm,
            steps,
            decision,
        } => Ok(Said {
            identity: *identity,
            policies: Some(Policies {
                realm,
                steps,
                decision,
            }),
        }),
        ExplainAnswer::UnknownUser => Err(format!(
            "there is no user with the universal id or login name {user}"
        )),
    }
}

/// The user as said on the command line, if anything is.
fn described(options: &Options, user: &str) -> Option<Box<Identity>> {
    if options.groups.is_empty() && options.attributes.is_empty() {
        return None;
    }
    let mut attributes = BTreeMap::<String, Vec<String>>::new();
    for (name, value) in &options.attributes {
        attributes
            .entry(name.clone())
            .or_default()
            .push(value.clone());
    }
    Some(Box::new(Identity {
        user_name: user.to_owned(),
        universal_id: user.to_owned(),
        directory: UserDirectory {
            name: options.directory.clone().unwrap_or_default(),
            ..UserDirectory::default()
        },
        groups: options.groups.clone(),
        attributes,
        ..Identity::default()
    }))
}

/// What the files of an embedded policy server say. Its store is not opened: the agent may be running.
#[cfg(feature = "embedded")]
fn embedded(
    config_file: &std::path::Path,
    request: &ExplainRequest,
) -> Result<ExplainAnswer, String> {
    use policy_protocol::{Clock as _, SystemClock};
    use policy_server::policy::Question;

    let config = policy_server::PolicyServerConfig::load(config_file)
        .map_err(|problems| problems.to_string())?;
    let directories = policy_server::directory::Directories::open(&config.directories)
        .map_err(|problems| problems.to_string())?;
    let policies = config
        .load_policies()
        .map_err(|problems| problems.to_string())?;
    let identity = match &request.identity {
        Some(identity) => Identity::clone(identity),
        None => {
            let runtime = control_runtime().map_err(|error| error.to_string())?;
            let found = runtime
                .block_on(directories.find_any(&request.user, request.directory.as_deref()))
                .map_err(|error| error.to_string())?;
            match found {
                Some(user) => user.identity.clone(),
                None => return Ok(ExplainAnswer::UnknownUser),
            }
        }
    };
    Ok(policies.explain(&Question {
        identity: &identity,
        resource: &request.resource,
        from: request.from,
        at: request.at.unwrap_or_else(|| SystemClock.now()),
    }))
}

impl Policies {
    /// One line for the realm, each rule, how long the answer is kept, and each response.
    pub(super) fn lines(&self) -> Vec<String> {
        let realm = self
            .realm
            .as_deref()
            .unwrap_or("none: no policy is about this");
        let mut lines = vec![format!("server      realm {}", realm.escape_debug())];
        lines.extend(self.steps.iter().map(|step| {
            format!(
                "policy      {}/{}: rule {} ({}) {}",
                step.domain.escape_debug(),
                step.policy.as_deref().unwrap_or("-").escape_debug(),
                step.rule.escape_debug(),
                if step.deny { "deny" } else { "allow" },
                step.finding
            )
        }));
        let (ttl, responses) = match &self.decision {
            AuthorizeAnswer::Yes { ttl, responses, .. } => (ttl, responses.as_slice()),
            AuthorizeAnswer::No { ttl, .. } => (ttl, &[][..]),
        };
        lines.extend(responses.iter().map(|response| {
            let (kind, name, value) = match response {
                ResponseAttribute::Header { name, value } => ("header", name, value),
                ResponseAttribute::Cookie { name, value } => ("cookie", name, value),
            };
            let (name, value) = (name.escape_debug(), value.escape_debug());
            format!("response    {kind} {name}: {value}")
        }));
        lines.push(format!("kept        {} s at most", ttl.as_secs()));
        lines
    }
}
