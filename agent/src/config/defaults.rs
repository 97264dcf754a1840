//! Every number and default of the configuration, each with its reason.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

/// How the agent introduces itself: the product's name, until there is more than one agent to tell apart.
pub const AGENT_NAME: &str = "doorward";
/// One data thread per core: more only compete, fewer leave cores idle.
pub const WORKERS: usize = 0;
/// As long as Kubernetes waits between SIGTERM and SIGKILL.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);
/// Loopback only: the admin listener has no login of its own.
pub const ADMIN: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 9090));

/// A policy server answers in milliseconds; after five seconds the user has given up anyway.
pub const POLICY_TIMEOUT: Duration = Duration::from_secs(5);
/// No grace: a session that cannot be checked when a check is due is refused (R4).
pub const OUTAGE_GRACE: Duration = Duration::ZERO;

/// The cookie of the classic agents, which is what the AuthAz services call a session token.
pub const AUTHAZ_COOKIE: &str = "SMSESSION";
/// As AM is delivered; a header of the same name does the same.
pub const AM_COOKIE: &str = "iPlanetDirectoryPro";
/// AM's top-level realm.
pub const AM_REALM: &str = "/";
/// The policy set that AM makes for web agents.
pub const AM_APPLICATION: &str = "iPlanetAMWebAgentService";
/// The one name that vSphere knows, for cookie and header.
pub const VSPHERE_SESSION: &str = "vmware-api-session-id";

/// The field's own cookie prefix, so that applications find the `SMSESSION` they know.
pub const ZONE: &str = "SM";
/// The classic agents' grace period: a page and its parts refresh the cookie once.
pub const GRACE_PERIOD: Duration = Duration::from_secs(30);
/// Room for some twenty thousand sessions of 3 KiB each, and less memory than one idle application.
pub const CACHE_BYTES: u64 = 64 << 20;

/// A name no application uses.
pub const ASSERTION_HEADER: &str = "x-doorward-assertion";
/// An upstream checks an assertion at once; five minutes forgive its clock.
pub const ASSERTION_LIFETIME: Duration = Duration::from_mins(5);

/// The session spec is long and of use to policy servers only.
pub const OMITTED_HEADER: &str = "SM_SERVERSESSIONSPEC";

/// One path of ours on every host, named so that no application uses it.
pub const LOGIN_PATH: &str = "/doorward";
/// Where Access Gateways have it.
pub const AUTHAZ_PATH: &str = "/authazws";
/// Where most deployments have it.
pub const AM_PATH: &str = "/am";
/// What servers show of a session unless they are told more.
pub const AM_PROPERTY: &str = "AMCtxId";
/// The classic limit for preserved POST data: any form, no upload.
pub const PRESERVE_BYTES: u64 = 64 << 10;
/// Who asks, above the heading that says what for.
pub const PAGE_TITLE: &str = "Doorward";

/// A server on the same network connects in milliseconds; five seconds survive two lost SYNs.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// What nginx waits for, so that reports which worked behind it still work.
pub const RESPONSE_TIMEOUT: Duration = Duration::from_secs(60);
/// Long enough for a quiet WebSocket or event stream between two keep-alives.
pub const UPSTREAM_IDLE_TIMEOUT: Duration = Duration::from_mins(5);
/// Below the 60 s after which common servers close, so that a pooled connection is seldom found dead.
pub const UPSTREAM_KEEP_ALIVE: Duration = Duration::from_secs(30);
/// Enough to serve a burst from warm connections; each costs the server a slot.
pub const UPSTREAM_MAX_IDLE: usize = 64;
/// A dead server is noticed within a few seconds at no noticeable load.
pub const HEALTH_INTERVAL: Duration = Duration::from_secs(5);
/// Less than the interval, so that checks do not pile up.
pub const HEALTH_TIMEOUT: Duration = Duration::from_secs(2);

/// Every host: the certificate, not the realm, says which hosts exist.
pub const REALM_HOST: &str = "*";
/// The level of a password in the classic systems, with room below and above it.
pub const PROTECTION_LEVEL: u16 = 5;
/// Above every password: a session that was made without a code does not open what asks for one.
pub const TOTP_PROTECTION_LEVEL: u16 = 15;
/// Above whatever can be typed into a page that only looks like ours.
pub const CERTIFICATE_PROTECTION_LEVEL: u16 = 20;
/// The classic default: a forgotten browser is logged out within the hour.
pub const IDLE_TIMEOUT: Duration = Duration::from_hours(1);
/// The classic default: nobody stays logged in beyond two hours without proving it again.
pub const MAX_TIMEOUT: Duration = Duration::from_hours(2);
/// Revocations are pushed, so this is only the longest that a lost event can go unnoticed.
pub const VALIDATION_PERIOD: Duration = Duration::from_mins(5);

/// About 40 KiB each with TLS: 400 MiB when every one is in use, which a small container can bear.
pub const CONNECTIONS: usize = 10_000;
/// As many as connections: only HTTP/2 can ask for more, and then waiting is fairer than memory. A login form or a
/// request that is to be kept takes up to 64 KiB more while it is received, for 30 s at most.
pub const REQUESTS: usize = 10_000;
/// Four cookies of the greatest size and as much again for everything else.
pub const HEAD_BYTES: u64 = 32 << 10;
/// The smallest head that holds a request line and one session cookie.
pub const MIN_HEAD_BYTES: u64 = 8 << 10;
/// Above 1 MiB, heads alone could fill the memory that [`CONNECTIONS`] is reckoned for.
pub const MAX_HEAD_BYTES: u64 = 1 << 20;
/// Any size: bodies are streamed in constant memory, and applications have limits of their own.
pub const BODY_BYTES: u64 = 0;
/// A head comes in one or two packets; this is for the slowest mobile network, and for pauses in reading.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Two round trips over the slowest network, and an attacker holds a socket no longer than that.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// The least that RFC 9113 recommends; browsers ask for no more.
pub const H2_STREAMS: u32 = 100;

/// What an operator needs to see, without a line for each step of a request.
pub const LOG_FILTER: &str = "info";

/// A secret of 16 characters cannot be guessed over the network.
pub const MIN_SECRET_CHARS: usize = 16;
/// A configuration of a thousand realms has 300 KiB; what is larger is not a configuration.
pub const MAX_FILE_BYTES: u64 = 4 << 20;
/// Kubernetes swaps a mounted ConfigMap once a minute; two seconds on top are not noticed.
pub const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// The end of a session is remembered for twice as long, so that no answer under way can outlast it.
pub const MAX_POLICY_TIMEOUT: Duration = Duration::from_secs(30);
/// Each that fails gets a share of one call's time, and its shares must not become too short to answer in.
pub const MAX_POLICY_SERVERS: usize = 16;

/// Header fields of one request, cookie crumbs counted one by one: browsers send a few dozen. HTTP/2
/// compresses repeated ones to a byte each, so their bytes alone say nothing of their memory.
pub const MAX_HEADER_FIELDS: usize = 512;
