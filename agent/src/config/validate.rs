//! From what an operator wrote to what cannot be wrong. Every check reports and goes on, so that all
//! problems come at once; a value is returned only if it is sound.

mod files;
mod foreign;
mod listeners;
mod login;
pub mod names;
mod policy_server;
mod realms;
mod responses;
mod rules;
mod saml;
mod services;
mod session;
mod upstreams;

pub(super) use self::files::{Files, read as read_file};

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use ipnet::IpNet;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use self::names::HeaderNames;
use super::file::{self, File};
use super::report::Spot;
use super::units::{Address, Network, Size};
use super::{Config, Limits, LogSettings, defaults};

/// Checks `file`, with the `files` it names. None if anything was reported.
pub(super) fn validate(file: &File, files: &Files<'_>, root: &Spot<'_>) -> Option<Config> {
    let mut headers = HeaderNames::default();

    let drain_timeout = file.agent.drain_timeout.0;
    let admin = admin(&file.agent.admin, &root.key("agent").key("admin"));
    let listeners = listeners::listeners(
        &file.listeners,
        admin.flatten(),
        files,
        &root.key("listeners"),
    );
    let trusted_proxies = some_networks(&file.trusted_proxies, &root.key("trusted_proxies"));
    let policy_server = file.policy_server.as_ref().and_then(|server| {
        policy_server::policy_server(server, file, files, &root.key("policy_server"))
    });
    let session = session::session(&file.session, &root.key("session"));
    let identity = session::identity(&file.identity, &mut headers, &root.key("identity"));
    let login = login::login(&file.login, files, &root.key("login"));
    let upstreams = upstreams::upstreams(&file.upstreams, files, &root.key("upstreams"));
    let realms = realms::realms(file, &mut headers, root);
    let limits = limits(&file.limits, &root.key("limits"));
    let log = log(&file.log, &root.key("log"));

    let config = Config {
        agent_name: file.agent.name.clone(),
        workers: workers(file.agent.workers),
        drain_timeout,
        listeners: listeners?,
        admin: admin?,
        trusted_proxies: trusted_proxies?,
        policy_server: policy_server?,
        session: session?,
        identity: identity?,
        login: login?,
        upstreams: upstreams?,
        realms: realms?,
        limits: limits?,
        log: log?,
        warnings: Vec::new(),
        written: serde_json::to_value(file).unwrap_or_default(),
    };
    let sound = foreign::check_against(&config, root);
    (services::check_against(&config, root) && sound).then_some(config)
}

fn workers(configured: usize) -> NonZeroUsize {
    NonZeroUsize::new(configured)
        .or_else(|| std::thread::available_parallelism().ok())
        .unwrap_or(NonZeroUsize::MIN)
}

fn admin(text: &str, spot: &Spot<'_>) -> Option<Option<SocketAddr>> {
    if text.is_empty() {
        return Some(None);
    }
    match text.parse::<Address>() {
        Ok(Address(address)) => {
            if !address.ip().is_loopback() {
                spot.warn("whoever reaches the admin listener can read metrics and flush caches: it has no login");
            }
            Some(Some(address))
        }
        Err(what) => {
            spot.problem(what);
            None
        }
    }
}

fn limits(file: &file::Limits, spot: &Spot<'_>) -> Option<Limits> {
    let head = usize_between(
        file.head_size,
        defaults::MIN_HEAD_BYTES..=defaults::MAX_HEAD_BYTES,
        &spot.key("head_size"),
    );
    let head_timeout = positive(file.head_timeout.0, &spot.key("head_timeout"));
    let handshake_timeout = positive(file.handshake_timeout.0, &spot.key("handshake_timeout"));
    Some(Limits {
        connections: file.connections,
        requests: file.requests,
        head_bytes: head?,
        body_bytes: file.body_size.0,
        head_timeout: head_timeout?,
        handshake_timeout: handshake_timeout?,
        h2_streams: file.h2_streams,
    })
}

fn log(file: &file::Log, spot: &Spot<'_>) -> Option<LogSettings> {
    // EnvFilter takes a misspelt level for the name of a module, and would log nothing.
    let levels = file
        .filter
        .split(',')
        .filter(|part| !part.contains(['=', '[']));
    let misspelt = levels
        .map(str::trim)
        .any(|part| part.parse::<LevelFilter>().is_err());
    if misspelt || EnvFilter::try_new(&file.filter).is_err() {
        spot.key("filter").problem_with_hint(
            "not a log filter",
            "write a level, or levels by module, such as \"info,agent::session=debug\"",
        );
        return None;
    }
    Some(LogSettings {
        filter: file.filter.clone(),
        json: file.format == file::LogFormat::Json,
        access_log: file.access_log,
    })
}

/// Networks, unless one of them is everybody: then "listed" would mean nothing.
fn some_networks(networks: &[Network], spot: &Spot<'_>) -> Option<Vec<IpNet>> {
    let mut sound = true;
    for (index, Network(network)) in networks.iter().enumerate() {
        if network.prefix_len() == 0 {
            spot.index(index).problem_with_hint(
                "holds every address, so anyone could claim to be anyone",
                "list the networks of the proxies",
            );
            sound = false;
        }
    }
    sound.then(|| networks.iter().map(|network| network.0).collect())
}

fn positive(duration: Duration, spot: &Spot<'_>) -> Option<Duration> {
    if duration.is_zero() {
        spot.problem("must be longer than zero");
        return None;
    }
    Some(duration)
}

/// Session times are whole seconds on the wire and in cookies; a fraction would silently become something else.
fn whole_seconds(duration: Duration, spot: &Spot<'_>) -> Option<Duration> {
    if duration.subsec_nanos() != 0 {
        spot.problem("must be whole seconds");
        return None;
    }
    Some(duration)
}

fn usize_between(
    size: Size,
    range: std::ops::RangeInclusive<u64>,
    spot: &Spot<'_>,
) -> Option<usize> {
    if !range.contains(&size.0) {
        spot.problem(format!(
            "must be between {} and {}",
            Size(*range.start()),
            Size(*range.end())
        ));
        return None;
    }
    usize::try_from(size.0).ok()
}

/// Reports each of `names` that was there before, and returns whether all were different.
fn unique<'n>(names: impl IntoIterator<Item = (&'n str, Spot<'n>)>, what: &str) -> bool {
    let mut seen = std::collections::HashSet::new();
    let mut sound = true;
    for (name, spot) in names {
        if !seen.insert(name) {
            spot.problem(format!("{what} is listed before"));
            sound = false;
        }
    }
    sound
}
