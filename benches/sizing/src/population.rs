//! The sessions: the same ones every time, so that nobody has to remember a million ids.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use policy_protocol::message::SessionSummary;
use policy_protocol::{AuthScheme, Identity, ProtectionLevel, SessionId, Timestamp, UserDirectory};
use policy_server::store::Store;

/// The policy server's time throughout.
pub(crate) const NOW: Timestamp = Timestamp(1_800_000_000);
/// How long the end of a session is remembered beyond its life.
pub(crate) const MARGIN: Duration = Duration::from_secs(60);
const IDLE: Duration = Duration::from_secs(30 * 60);
const MAX: Duration = Duration::from_secs(8 * 3600);

/// The `number`th session: of a user in a directory of people, with a few groups and attributes. Two of
/// them are of one user. They began in the last half hour.
pub(crate) fn session(number: u64) -> SessionSummary {
    let user = number / 2;
    let name = format!("user{user:07}");
    let started = Timestamp(NOW.0 - number % IDLE.as_secs());
    let attribute = |name: &str, value: String| (String::from(name), vec![value]);
    SessionSummary {
        id: id(number),
        identity: Identity {
            user_dn: format!("uid={name},ou=people,dc=example,dc=com"),
            universal_id: universal_id(user),
            directory: UserDirectory {
                oid: String::from("people"),
                name: String::from("people"),
                server: String::from("ldap1.example.com"),
                namespace: String::from("LDAP:"),
            },
            groups: (0..6)
                .map(|group| format!("department-{}", (user + group * 17) % 400))
                .collect(),
            attributes: BTreeMap::from([
                attribute("mail", format!("{name}@example.com")),
                attribute("displayName", format!("User Number {user}")),
                attribute("employeeNumber", format!("{user:08}")),
                attribute("departmentNumber", format!("{}", user % 400)),
            ]),
            user_name: name,
        },
        protection_level: ProtectionLevel(5),
        realm: format!("application-{}", number % 40),
        agent: format!("agent-{}", number % 1000),
        client_address: Some(IpAddr::V4(Ipv4Addr::from_bits(
            0x0a00_0000 | u32::try_from(user % 0x00ff_ffff).unwrap(),
        ))),
        started,
        last_access: started,
        expires: started.plus(MAX),
        idle_timeout: IDLE,
        auth_scheme: AuthScheme::Form,
        persistent: true,
        properties: BTreeMap::new(),
    }
}

/// The id of the `number`th session: spread like random ones.
pub(crate) fn id(number: u64) -> SessionId {
    let mut bytes = [0; SessionId::LENGTH];
    for (index, byte) in (0..).zip(bytes.chunks_mut(8)) {
        let part = mixed(number * 3 + index).to_be_bytes();
        byte.copy_from_slice(&part[..byte.len()]);
    }
    SessionId::from_bytes(bytes)
}

/// A directory's `entryUUID`.
pub(crate) fn universal_id(user: u64) -> String {
    let (high, low) = (mixed(user), mixed(!user));
    format!("{high:016x}-{low:016x}-uuid")
}

/// A number that looks random (splitmix64).
pub(crate) fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Adds the sessions from `from` up to `to`.
///
/// # Panics
/// If the store fails.
pub async fn fill(store: &Arc<dyn Store>, from: u64, to: u64) {
    let inserts = stream::iter(from..to).map(|number| {
        let store = Arc::clone(store);
        tokio::spawn(async move { login(&*store, number).await })
    });
    let mut done = inserts.buffer_unordered(64);
    while let Some(inserted) = done.next().await {
        inserted.unwrap();
    }
}

pub(crate) async fn login(store: &dyn Store, number: u64) {
    let inserted = store.insert(session(number), Vec::new(), None, MARGIN, NOW);
    inserted.await.unwrap();
}
