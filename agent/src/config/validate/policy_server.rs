//! Checks `[policy_server]`.

use std::time::Duration;

use http::Uri;

use super::files::Files;
use super::{names, positive, whole_seconds};
use crate::config::defaults;
use crate::config::file::policy_server as file;
use crate::config::report::Spot;
use crate::config::{PolicyServer, PolicyServerKind};

/// Which policy server, and how patient to be with it.
pub(super) fn policy_server(
    file: &file::PolicyServer,
    files: &Files<'_>,
    spot: &Spot<'_>,
) -> Option<PolicyServer> {
    let timeout = positive(file.timeout.0, &spot.key("timeout"));
    if file.timeout.0 > defaults::MAX_POLICY_TIMEOUT {
        spot.key("timeout")
            .problem("longer than 30s: nobody waits that long for a page");
    }
    let outage_grace = whole_seconds(file.outage_grace.0, &spot.key("outage_grace"));
    if !file.outage_grace.0.is_zero() {
        spot.key("outage_grace")
            .warn("a session that was ended elsewhere may live on through an outage");
    }
    let kind = match file.kind? {
        file::Kind::Embedded => embedded(file, files, spot),
        file::Kind::Native => native(file, timeout, files, spot),
    };
    Some(PolicyServer {
        kind: kind?,
        outage_grace: outage_grace?,
    })
}

fn embedded(
    file: &file::PolicyServer,
    files: &Files<'_>,
    spot: &Spot<'_>,
) -> Option<PolicyServerKind> {
    for (given, key) in [
        (!file.urls.is_empty(), "urls"),
        (file.ca_file.is_some(), "ca_file"),
        (file.agent_secret_file.is_some(), "agent_secret_file"),
    ] {
        if given {
            spot.key(key)
                .problem("means nothing to an embedded policy server");
        }
    }
    let Some(path) = &file.config_file else {
        spot.key("config_file")
            .problem("missing: an embedded policy server has its own configuration file");
        return None;
    };
    let config_file = files.readable(path, &spot.key("config_file"))?;
    Some(PolicyServerKind::Embedded { config_file })
}

fn native(
    file: &file::PolicyServer,
    timeout: Option<Duration>,
    files: &Files<'_>,
    spot: &Spot<'_>,
) -> Option<PolicyServerKind> {
    if file.config_file.is_some() {
        spot.key("config_file")
            .problem("only an embedded policy server is configured here");
    }
    if file.urls.is_empty() {
        spot.key("urls")
            .problem_with_hint("missing", "such as [\"https://policy.example.com:44443\"]");
    }
    let urls: Vec<Option<Uri>> = file
        .urls
        .iter()
        .enumerate()
        .map(|(index, text)| server(text, &spot.key("urls").index(index)))
        .collect();
    let ca_file = files.certificates(file.ca_file.as_ref(), &spot.key("ca_file"));
    let secret_spot = spot.key("agent_secret_file");
    if file.agent_secret_file.is_none() {
        secret_spot.problem("missing: a file with the secret that this agent was registered with");
    }
    let secret = file
        .agent_secret_file
        .as_ref()
        .and_then(|path| files.secret(path, &secret_spot));
    Some(PolicyServerKind::Native {
        urls: urls.into_iter().collect::<Option<_>>()?,
        ca_file: ca_file?,
        agent_secret: secret?,
        timeout: timeout?,
    })
}

fn server(text: &str, spot: &Spot<'_>) -> Option<Uri> {
    let url = match names::origin(text) {
        Ok(url) => url,
        Err(what) => {
            spot.problem(what);
            return None;
        }
    };
    if url.scheme() == "http" {
        spot.problem_with_hint(
            "passwords and keys must not travel in clear text",
            "use https",
        );
        return None;
    }
    names::origin_uri(&url)
}
