//! Checks `[policy_server]`.

use std::path::PathBuf;
use std::time::Duration;

use policy_client::{Balance, ClientCertificate, ServerList};
use url::Url;

use super::files::Files;
use super::{foreign, names, positive, unique, whole_seconds};
use crate::config::defaults;
use crate::config::file::{File, policy_server as file};
use crate::config::report::Spot;
use crate::config::{PolicyServer, PolicyServerKind};

/// Which policy server, and how patient to be with it.
pub(super) fn policy_server(
    file: &file::PolicyServer,
    all: &File,
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
    let kind = file.kind?;
    foreign::strangers(file, kind, spot);
    if kind != file::Kind::Embedded && file.config_file.is_some() {
        spot.key("config_file")
            .problem("only an embedded policy server is configured here");
    }
    let (kind, foreign) = match kind {
        file::Kind::Embedded => (embedded(file, files, spot), Some(None)),
        file::Kind::Native => (native(file, timeout, files, spot), Some(None)),
        file::Kind::AuthAz | file::Kind::Am | file::Kind::VSphere => {
            foreign::foreign(file, all, timeout, files, spot)
        }
    };
    Some(PolicyServer {
        kind: kind?,
        outage_grace: outage_grace?,
        foreign: foreign?,
    })
}

fn embedded(
    file: &file::PolicyServer,
    files: &Files<'_>,
    spot: &Spot<'_>,
) -> Option<PolicyServerKind> {
    for (given, key) in [
        (!file.urls.is_empty(), "urls"),
        (!file.clusters.is_empty(), "clusters"),
        (file.failover_threshold != 0, "failover_threshold"),
        (file.ca_file.is_some(), "ca_file"),
        (file.agent_secret_file.is_some(), "agent_secret_file"),
        (file.client_cert_file.is_some(), "client_cert_file"),
        (file.client_key_file.is_some(), "client_key_file"),
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
    let servers = servers(file, names::origin, spot);
    let ca_file = files.certificates(file.ca_file.as_ref(), &spot.key("ca_file"));
    let client_certificate = client_certificate(file, files, spot);
    let secret_spot = spot.key("agent_secret_file");
    let agent_secret = match &file.agent_secret_file {
        Some(path) => files.secret(path, &secret_spot).map(Some),
        None if file.client_cert_file.is_some() => Some(None),
        None => {
            secret_spot.problem_with_hint(
                "missing: a file with the secret that this agent was registered with",
                "or client_cert_file and client_key_file",
            );
            None
        }
    };
    Some(PolicyServerKind::Native {
        servers: servers?,
        ca_file: ca_file?,
        agent_secret: agent_secret?,
        client_certificate: client_certificate?,
        timeout: timeout?,
    })
}

/// The servers' addresses, each as `read` understands it.
pub(super) fn servers(
    file: &file::PolicyServer,
    read: fn(&str) -> Result<Url, &'static str>,
    spot: &Spot<'_>,
) -> Option<ServerList> {
    if !file.urls.is_empty() && !file.clusters.is_empty() {
        spot.key("clusters")
            .problem("urls is given as well: one or the other");
        return None;
    }
    let groups: Vec<(&[String], Spot<'_>)> = if file.clusters.is_empty() {
        vec![(&file.urls, spot.key("urls"))]
    } else {
        let spot = |index| spot.key("clusters").index(index).key("urls");
        let clusters = file.clusters.iter().enumerate();
        clusters
            .map(|(index, cluster)| (cluster.urls.as_slice(), spot(index)))
            .collect()
    };
    for (_, spot) in groups.iter().filter(|(urls, _)| urls.is_empty()) {
        spot.problem_with_hint("missing", "such as [\"https://policy.example.com:44443\"]");
    }
    let listed = || {
        groups.iter().flat_map(|(urls, spot)| {
            let urls = urls.iter().enumerate();
            urls.map(|(index, url)| (url.as_str(), spot.index(index)))
        })
    };
    let different = unique(listed(), "this address");
    if listed().count() > defaults::MAX_POLICY_SERVERS {
        let most = defaults::MAX_POLICY_SERVERS;
        spot.problem(format!("names more than {most} servers"));
        return None;
    }
    let threshold = threshold(file, &spot.key("failover_threshold"));
    // Every address is looked at before any mistake counts.
    let clusters: Vec<Vec<Option<String>>> = groups
        .iter()
        .map(|(urls, spot)| {
            let urls = urls.iter().enumerate();
            urls.map(|(index, url)| server(read(url), &spot.index(index)))
                .collect()
        })
        .collect();
    let clusters: Option<Vec<Vec<String>>> = clusters
        .into_iter()
        .map(|cluster| cluster.into_iter().collect())
        .collect();
    Some(ServerList {
        clusters: clusters.filter(|_| different)?,
        balance: match file.balance {
            file::Balance::Ordered => Balance::Ordered,
            file::Balance::RoundRobin => Balance::RoundRobin,
        },
        failover_threshold: threshold?,
    })
}

fn threshold(file: &file::PolicyServer, spot: &Spot<'_>) -> Option<u8> {
    let threshold = file.failover_threshold;
    if threshold > 100 {
        spot.problem("must be between 0 and 100");
        return None;
    }
    if threshold > 0 && file.clusters.len() < 2 {
        spot.problem("means nothing without a second cluster");
        return None;
    }
    Some(threshold)
}

/// The outer None means that a problem was reported.
#[expect(clippy::option_option, reason = "absent and wrong are two things")]
pub(super) fn client_certificate(
    file: &file::PolicyServer,
    files: &Files<'_>,
    spot: &Spot<'_>,
) -> Option<Option<ClientCertificate>> {
    let (cert, key) = (spot.key("client_cert_file"), spot.key("client_key_file"));
    let pem = |path: &Option<PathBuf>, label, spot| {
        let path = path.as_ref();
        path.map(|path| files.pem(path, label, spot))
    };
    let cert_file = pem(&file.client_cert_file, "CERTIFICATE", &cert);
    let key_file = pem(&file.client_key_file, "PRIVATE KEY", &key);
    match (cert_file, key_file) {
        (None, None) => Some(None),
        (Some(cert_file), Some(key_file)) => Some(Some(ClientCertificate {
            cert_file: cert_file?,
            key_file: key_file?,
        })),
        (None, Some(_)) => {
            cert.problem("missing: client_key_file is its key");
            None
        }
        (Some(_), None) => {
            key.problem("missing: the key of client_cert_file");
            None
        }
    }
}

fn server(url: Result<Url, &'static str>, spot: &Spot<'_>) -> Option<String> {
    match url {
        Ok(url) if url.scheme() == "https" => Some(url.into()),
        Ok(_) => {
            spot.problem_with_hint(
                "passwords and keys must not travel in clear text",
                "use https",
            );
            None
        }
        Err(what) => {
            spot.problem(what);
            None
        }
    }
}
