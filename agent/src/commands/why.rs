//! `doorward why`: what would be decided, and because of what.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use agent::access::authorize::{self, Subject};
use agent::access::protection::{Protection, RealmTable};
use agent::config::{self, Config, Environment, Realm, Rule};
use agent::http::target::RequestTarget;
use clap::Args;
use http::{Method, Uri};
use policy_protocol::{AuthScheme, Identity};

use super::{bad_configuration, failed};

/// What to explain.
#[derive(Args)]
pub(crate) struct Options {
    /// The address, with scheme, host and path.
    url: Uri,
    /// The agent's configuration.
    #[arg(long, env = "DOORWARD_CONFIG")]
    config: PathBuf,
    /// The user's login name. Groups and attributes are looked up if the policy server is embedded.
    #[arg(long)]
    user: Option<String>,
    /// A group of the user. May be given several times.
    #[arg(long = "group")]
    groups: Vec<String>,
    /// An attribute of the user, as name=value. May be given several times.
    #[arg(long = "attribute", value_parser = parse_attribute)]
    attributes: Vec<(String, String)>,
    /// The HTTP method.
    #[arg(long, default_value = "GET")]
    method: Method,
    /// The client's address.
    #[arg(long, default_value = "127.0.0.1")]
    client: IpAddr,
}

fn parse_attribute(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as name=value")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Explains, and exits with 0 whatever the decision is.
pub(crate) fn run(options: &Options) -> ExitCode {
    let config = match config::load(&options.config, &Environment::from_process()) {
        Ok(config) => config,
        Err(problems) => return bad_configuration(problems),
    };
    let Some(host) = options.url.host() else {
        return failed("the address needs a scheme and a host, such as https://app.example/path");
    };
    match explain(options, &config, host) {
        Ok(lines) => {
            println!("{}", lines.join("\n"));
            ExitCode::SUCCESS
        }
        Err(sentence) => failed(sentence),
    }
}

fn explain(options: &Options, config: &Config, host: &str) -> Result<Vec<String>, String> {
    let target = RequestTarget::new(
        host.to_ascii_lowercase(),
        options.url.port_u16(),
        &options.url,
        &options.method,
    );
    let target = match target {
        Ok(target) => target,
        Err(denial) => {
            return Ok(vec![format!(
                "refused with {}: {denial:?}",
                denial.status()
            )]);
        }
    };
    let mut lines = vec![format!(
        "resource    {} on {}",
        target.resource(),
        target.host()
    )];
    let realm = match RealmTable::new(&config.realms).find(&target) {
        Ok(Protection::Protected(realm)) => realm,
        Ok(Protection::Open(open)) => {
            let realm = open.realm();
            lines.push(describe(realm));
            let because = if realm.scheme == AuthScheme::None {
                "the realm is open"
            } else {
                "the resource is ignored"
            };
            lines.push(format!("decision    passes without a session: {because}"));
            return Ok(lines);
        }
        Err(denial) => {
            lines.push(format!(
                "decision    refused with {}: {denial:?}",
                denial.status()
            ));
            return Ok(lines);
        }
    };
    lines.push(describe(&realm));
    let Some(user) = &options.user else {
        lines.push(String::from(
            "decision    asks for credentials unless there is a session; name a --user to go on",
        ));
        return Ok(lines);
    };
    let identity = identity(options, config, user)?;
    lines.push(format!(
        "user        {} in groups [{}]",
        identity.user_name,
        identity.groups.join(", ")
    ));
    let subject = Subject {
        identity: &identity,
        client: options.client,
        resource: target.resource(),
        method: target.method(),
    };
    let verdict = authorize::evaluate(&realm.rules, subject);
    lines.push(match verdict.rule {
        Some(rule) => format!(
            "rule        {} ({})",
            name_of(rule),
            if rule.deny { "deny" } else { "allow" }
        ),
        None if realm.rules.is_empty() => {
            String::from("rule        none: every authenticated user may")
        }
        None => String::from("rule        none matches"),
    });
    lines.push(match (verdict.allowed, realm.authorize) {
        (false, _) => String::from("decision    refused with 403 Forbidden"),
        (true, false) => format!(
            "decision    passes, with a session of level {} or higher",
            realm.level.0
        ),
        (true, true) => {
            String::from("decision    passes if the policy server's Authorize() agrees")
        }
    });
    Ok(lines)
}

fn describe(realm: &Realm) -> String {
    format!(
        "realm       {} ({}, scheme {}, protection level {})",
        realm.name,
        realm.resource,
        realm.scheme.auth_type().to_ascii_lowercase(),
        realm.level.0
    )
}

fn name_of(rule: &Rule) -> &str {
    if rule.name.is_empty() {
        "without a name"
    } else {
        &rule.name
    }
}

/// Who the user is: as said on the command line, else as the embedded policy server's directory says.
fn identity(options: &Options, config: &Config, user: &str) -> Result<Identity, String> {
    if !options.groups.is_empty() || !options.attributes.is_empty() {
        let mut attributes = BTreeMap::<String, Vec<String>>::new();
        for (name, value) in &options.attributes {
            attributes
                .entry(name.clone())
                .or_default()
                .push(value.clone());
        }
        return Ok(Identity {
            user_name: user.to_owned(),
            groups: options.groups.clone(),
            attributes,
            ..Identity::default()
        });
    }
    look_up(config, user)
}

#[cfg(feature = "embedded")]
fn look_up(config: &Config, user: &str) -> Result<Identity, String> {
    let config::PolicyServerKind::Embedded { config_file } = &config.policy_server.kind else {
        return Err(NOT_HERE.to_owned());
    };
    let server = policy_server::PolicyServerConfig::load(config_file)
        .map_err(|problems| problems.to_string())?;
    let directories = policy_server::directory::Directories::open(&server.directories)
        .map_err(|problems| problems.to_string())?;
    let runtime = super::control_runtime().map_err(|error| error.to_string())?;
    let found = runtime
        .block_on(directories.find_anywhere(user))
        .map_err(|error| error.to_string())?;
    found
        .map(|user| user.identity.clone())
        .ok_or_else(|| format!("there is no user with the universal id {user}"))
}

#[cfg(not(feature = "embedded"))]
fn look_up(_: &Config, _: &str) -> Result<Identity, String> {
    Err(NOT_HERE.to_owned())
}

/// Why a user cannot be looked up.
const NOT_HERE: &str =
    "the users are at another policy server: say --group and --attribute yourself";
