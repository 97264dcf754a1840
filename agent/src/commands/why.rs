//! `doorward why`: what would be decided, and because of what.

mod server;

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use agent::access::authorize::{self, Subject};
use agent::access::protection::{Protection, RealmTable};
use agent::config::{self, Config, Environment, Realm, Rule};
use agent::http::target::RequestTarget;
use clap::Args;
use http::{Method, Uri};
use policy_protocol::message::AuthorizeAnswer;
use policy_protocol::{AuthScheme, Timestamp};

use super::output::say;
use super::{bad_configuration, failed};

/// What to explain.
#[derive(Args)]
pub(crate) struct Options {
    /// The address, with scheme, host and path.
    #[arg(value_name = "URL")]
    address: Uri,
    /// The agent's configuration.
    #[arg(long, env = "DOORWARD_CONFIG")]
    config: PathBuf,
    /// The user's universal id or login name. The policy server that is embedded, or at --url, looks up
    /// groups and attributes.
    #[arg(long)]
    user: Option<String>,
    /// The user directory to look in.
    #[arg(long)]
    directory: Option<String>,
    /// A group of the user, instead of looking them up. May be given several times.
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
    /// When, as in 2026-11-21T18:30:00+01:00; now unless given.
    #[arg(long, value_parser = parse_time)]
    at: Option<Timestamp>,
    /// The address of the policy server to ask for its part: `https://`, host and port.
    #[arg(long, env = "DOORWARD_ADMIN_URL", requires = "secret_file")]
    url: Option<String>,
    /// Trust anchors (PEM) for the policy server's certificate; the system's if absent.
    #[arg(long, env = "DOORWARD_ADMIN_CA_FILE")]
    ca_file: Option<PathBuf>,
    /// The file that holds the policy server's secret for administrators.
    #[arg(long, env = "DOORWARD_ADMIN_SECRET_FILE")]
    secret_file: Option<PathBuf>,
}

fn parse_attribute(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as name=value")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn parse_time(text: &str) -> Result<Timestamp, String> {
    let time: jiff::Timestamp = text
        .parse()
        .map_err(|error: jiff::Error| error.to_string())?;
    let seconds = u64::try_from(time.as_second()).map_err(|_| "must be after 1970")?;
    Ok(Timestamp(seconds))
}

/// Explains, and exits with 0 whatever the decision is.
pub(crate) fn run(options: &Options) -> ExitCode {
    let config = match config::load(&options.config, &Environment::from_process()) {
        Ok(config) => config,
        Err(problems) => return bad_configuration(problems),
    };
    let Some(host) = options.address.host() else {
        return failed("the address needs a scheme and a host, such as https://app.example/path");
    };
    match explain(options, &config, host) {
        Ok(lines) => {
            say(lines.join("\n"));
            ExitCode::SUCCESS
        }
        Err(sentence) => failed(sentence),
    }
}

fn explain(options: &Options, config: &Config, host: &str) -> Result<Vec<String>, String> {
    let target = RequestTarget::new(
        host.to_ascii_lowercase(),
        options.address.port_u16(),
        &options.address,
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
    let said = server::ask(options, config, &target, user)?;
    let identity = &said.identity;
    lines.push(format!(
        "user        {} in groups [{}]",
        identity.user_name,
        identity.groups.join(", ")
    ));
    let subject = Subject {
        identity,
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
    let passes = format!(
        "decision    passes, with a session of level {} or higher",
        realm.level.0
    );
    match (verdict.allowed, realm.authorize, said.policies) {
        (false, ..) => lines.push(String::from("decision    refused with 403 Forbidden")),
        (true, false, _) => lines.push(passes),
        (true, true, None) => lines.push(String::from(
            "decision    passes if the policy server's Authorize() agrees: say its --url to ask it",
        )),
        (true, true, Some(policies)) => {
            lines.extend(policies.lines());
            lines.push(match policies.decision {
                AuthorizeAnswer::Yes { redirect: None, .. } => passes,
                AuthorizeAnswer::Yes {
                    redirect: Some(location),
                    ..
                } => format!("decision    allowed, and led to {location}"),
                AuthorizeAnswer::No { redirect: None, .. } => {
                    String::from("decision    refused by the policy server with 403 Forbidden")
                }
                AuthorizeAnswer::No {
                    redirect: Some(location),
                    ..
                } => format!("decision    refused by the policy server, and led to {location}"),
            });
        }
    }
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
