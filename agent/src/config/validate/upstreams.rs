//! Checks `[[upstreams]]`.

use std::sync::Arc;

use http::Uri;
use http::uri::PathAndQuery;

use super::files::Files;
use super::{names, positive, unique};
use crate::config::file::upstreams as file;
use crate::config::report::Spot;
use crate::config::{Balance, HealthCheck, Upstream};

/// All applications.
pub(super) fn upstreams(
    upstreams: &[file::Upstream],
    files: &Files<'_>,
    spot: &Spot<'_>,
) -> Option<Vec<Arc<Upstream>>> {
    let names = upstreams.iter().enumerate();
    let names = names
        .filter_map(|(index, each)| Some((each.name.as_deref()?, spot.index(index).key("name"))));
    let sound = unique(names, "the name");
    let checked: Vec<Option<Arc<Upstream>>> = upstreams
        .iter()
        .enumerate()
        .map(|(index, each)| upstream(each, files, &spot.index(index)))
        .collect();
    checked
        .into_iter()
        .collect::<Option<Vec<_>>>()
        .filter(|_| sound)
}

fn upstream(file: &file::Upstream, files: &Files<'_>, spot: &Spot<'_>) -> Option<Arc<Upstream>> {
    let servers = servers(&file.servers, &spot.key("servers"));
    let ca_file = files.certificates(file.ca_file.as_ref(), &spot.key("ca_file"));
    let plain = servers
        .iter()
        .flatten()
        .all(|server| server.scheme_str() == Some("http"));
    if file.ca_file.is_some() && servers.is_some() && plain {
        spot.key("ca_file").problem_with_hint(
            "no server of this upstream uses TLS",
            "write https:// in `servers`",
        );
    }
    let connect_timeout = positive(file.connect_timeout.0, &spot.key("connect_timeout"));
    let response_timeout = positive(file.response_timeout.0, &spot.key("response_timeout"));
    let idle_timeout = positive(file.idle_timeout.0, &spot.key("idle_timeout"));
    let keep_alive = positive(file.keep_alive.0, &spot.key("keep_alive"));
    let health = file
        .health
        .as_ref()
        .map(|health| self::health(health, &spot.key("health")));
    Some(Arc::new(Upstream {
        name: file.name.clone()?,
        servers: servers?,
        http2: file.http2,
        balance: match file.balance {
            file::Balance::RoundRobin => Balance::RoundRobin,
            file::Balance::LeastConnections => Balance::LeastConnections,
        },
        ca_file: ca_file?,
        health: match health {
            Some(check) => Some(check?),
            None => None,
        },
        connect_timeout: connect_timeout?,
        response_timeout: response_timeout?,
        idle_timeout: idle_timeout?,
        keep_alive: keep_alive?,
        max_idle: file.max_idle,
        preserve_host: file.preserve_host,
    }))
}

fn servers(servers: &[String], spot: &Spot<'_>) -> Option<Vec<Uri>> {
    let all: Vec<(&str, Spot<'_>)> = servers
        .iter()
        .enumerate()
        .map(|(index, text)| (text.as_str(), spot.index(index)))
        .collect();
    let sound = unique(all.iter().cloned(), "the server");
    let checked: Vec<Option<Uri>> = all
        .into_iter()
        .map(|(text, spot)| {
            let url = names::origin(text)
                .map_err(|what| spot.problem(what))
                .ok()?;
            names::origin_uri(&url)
        })
        .collect();
    checked
        .into_iter()
        .collect::<Option<Vec<_>>>()
        .filter(|_| sound)
}

fn health(file: &file::Health, spot: &Spot<'_>) -> Option<HealthCheck> {
    let interval = positive(file.interval.0, &spot.key("interval"));
    let timeout = positive(file.timeout.0, &spot.key("timeout"));
    let path = file.path.as_deref()?;
    if !path.starts_with('/') || path.parse::<PathAndQuery>().is_err() {
        spot.key("path")
            .problem_with_hint("not a path", "such as \"/health\"");
        return None;
    }
    Some(HealthCheck {
        path: path.to_owned(),
        interval: interval?,
        timeout: timeout?,
    })
}
