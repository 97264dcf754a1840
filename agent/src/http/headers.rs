//! Headers that only we may set (R1), and what the network says of the client (R3).

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;

use crate::http::ConnectionInfo;

/// Names longer than this cannot be configured, so longer ones from a client are only compared by
/// prefix.
pub const MAX_MANAGED_NAME: usize = 64;

/// Prefixes of folded names that belong to us, whatever follows: everything the field calls `SM_…`, also
/// as a CGI program would see it, our own, and everything said about forwarding.
const MANAGED_PREFIXES: [&[u8]; 4] = [b"sm-", b"http-sm-", b"x-doorward-", b"x-forwarded-"];

/// Further folded names that would change what an application believes about the request's origin or
/// target.
const MANAGED_NAMES: [&[u8]; 4] = [
    b"forwarded",
    b"x-real-ip",
    b"x-original-url",
    b"x-rewrite-url",
];

/// `Forwarded` and its relatives.
pub static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// The scheme that the client used.
pub static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// The host that the client asked for.
pub static X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// The field's name for the id of one request.
pub static SM_TRANSACTIONID: HeaderName = HeaderName::from_static("sm_transactionid");

/// The names that no client may set.
///
/// Applications behind CGI-like interfaces read `SM_USER`, `SM-USER` and `sm.user` as one variable, so
/// names are compared folded: lower case, and everything that is not a letter or digit is `-`.
#[derive(Debug)]
pub struct ManagedHeaders {
    folded: HashSet<Box<[u8]>, foldhash::fast::RandomState>,
    /// First folded bytes of all names and prefixes: most headers are done with after one look.
    first: [bool; 256],
}

impl Default for ManagedHeaders {
    /// The built-in names alone.
    fn default() -> Self {
        Self::new([])
    }
}

impl ManagedHeaders {
    /// The built-in names and those that the configuration adds.
    pub fn new<'a>(configured: impl IntoIterator<Item = &'a HeaderName>) -> Self {
        let configured = configured
            .into_iter()
            .map(|name| name.as_str().bytes().map(fold).collect());
        let folded: HashSet<Box<[u8]>, _> = MANAGED_NAMES
            .iter()
            .map(|name| Box::from(*name))
            .chain(configured)
            .collect();
        let mut first = [false; 256];
        for name in folded.iter().map(AsRef::as_ref).chain(MANAGED_PREFIXES) {
            first[usize::from(name[0])] = true;
        }
        Self { folded, first }
    }

    /// Whether a client's header of this name is dropped.
    pub fn is_managed(&self, name: &HeaderName) -> bool {
        let name = name.as_str().as_bytes();
        if !self.first[usize::from(fold(name[0]))] {
            return false;
        }
        let mut buffer = [0; MAX_MANAGED_NAME];
        let length = name.len().min(MAX_MANAGED_NAME);
        for (folded, byte) in buffer.iter_mut().zip(name) {
            *folded = fold(*byte);
        }
        let folded = &buffer[..length];
        MANAGED_PREFIXES
            .iter()
            .any(|prefix| folded.starts_with(prefix))
            || name.len() == length && self.folded.contains(folded)
    }

    /// Drops every client copy of a managed header.
    pub fn strip(&self, headers: &mut HeaderMap) {
        // Almost always there is none, and then nothing is allocated.
        while let Some(name) = headers.keys().find(|name| self.is_managed(name)).cloned() {
            headers.remove(&name);
        }
    }
}

/// A header name as CGI-like interfaces compare it.
const fn fold(byte: u8) -> u8 {
    if byte.is_ascii_alphanumeric() {
        byte.to_ascii_lowercase()
    } else {
        b'-'
    }
}

/// Who the client is and how it reached us, as far as trusted peers say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientOrigin {
    /// The client's address.
    pub address: IpAddr,
    /// Whether the client used TLS.
    pub https: bool,
    /// The chain of addresses to be passed on, without the peer itself.
    chain: Option<HeaderValue>,
}

impl ClientOrigin {
    /// Reads what the connection, and only a listed proxy's headers, say of the client. To be called
    /// before managed headers are stripped.
    pub fn read(conn: &ConnectionInfo, headers: &HeaderMap, trusted: &[IpNet]) -> Self {
        let peer = conn.peer.ip().to_canonical();
        let direct = Self {
            address: peer,
            https: conn.tls,
            chain: None,
        };
        if !is_listed(trusted, peer) {
            return direct;
        }
        let mut lines = headers.get_all(&X_FORWARDED_FOR).iter();
        let chain = lines.next().filter(|_| lines.next().is_none());
        let address = chain
            .and_then(|chain| nearest_untrusted(chain, trusted))
            .unwrap_or(peer);
        let https = headers
            .get(&X_FORWARDED_PROTO)
            .map_or(conn.tls, |proto| proto == "https");
        Self {
            address,
            https,
            chain: chain.cloned(),
        }
    }

    /// Tells the upstream. Managed headers must have been stripped.
    pub fn write(&self, peer: SocketAddr, host: Option<&HeaderValue>, headers: &mut HeaderMap) {
        let peer = peer.ip().to_canonical();
        let text = match &self.chain {
            Some(chain) => format!("{}, {peer}", chain.to_str().unwrap_or_default()),
            None => peer.to_string(),
        };
        if let Ok(value) = HeaderValue::try_from(text) {
            headers.insert(X_FORWARDED_FOR.clone(), value);
        }
        let proto = HeaderValue::from_static(if self.https { "https" } else { "http" });
        headers.insert(X_FORWARDED_PROTO.clone(), proto);
        if let Some(host) = host {
            headers.insert(X_FORWARDED_HOST.clone(), host.clone());
        }
    }
}

/// The last address in the chain that is not a listed proxy; each listed one vouches for the one before.
fn nearest_untrusted(chain: &HeaderValue, trusted: &[IpNet]) -> Option<IpAddr> {
    let mut nearest = None;
    for part in chain.to_str().ok()?.rsplit(',') {
        let address = part.trim().parse::<IpAddr>().ok()?.to_canonical();
        nearest = Some(address);
        if !is_listed(trusted, address) {
            break;
        }
    }
    nearest
}

/// Whether an address is in one of the networks.
pub fn is_listed(networks: &[IpNet], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TCHAR: &[u8] = b"!#$%&'*+-.^_`|~";

    fn name(text: &str) -> HeaderName {
        HeaderName::from_bytes(text.as_bytes()).unwrap()
    }

    fn connection(peer: &str) -> ConnectionInfo {
        ConnectionInfo {
            peer: peer.parse().unwrap(),
            local: "127.0.0.1:8443".parse().unwrap(),
            tls: true,
            server_name: None,
            require_matching_host: true,
            client_certificate: None,
            worker: 0,
            redirect_to_https: None,
        }
    }

    #[test]
    fn every_spelling_of_a_managed_name_is_recognised() {
        let custom = name("Remote-User");
        let managed = ManagedHeaders::new([&custom]);
        for separator in TCHAR.iter().map(|byte| char::from(*byte)) {
            for pattern in [
                "sm?user",
                "http?sm?user",
                "x?forwarded?for",
                "remote?user",
                "x?real?ip",
            ] {
                let spelled = pattern.replace('?', &separator.to_string());
                assert!(managed.is_managed(&name(&spelled)), "{spelled}");
            }
        }
        for long in [
            format!("sm_{}", "x".repeat(200)),
            format!("x-doorward-{}", "y".repeat(90)),
        ] {
            assert!(managed.is_managed(&name(&long)), "{long}");
        }
        for other in [
            "accept",
            "cookie",
            "x-request-id",
            "smile",
            "host",
            "x-custom",
            "forwarded-for-x",
            "s",
        ] {
            assert!(!managed.is_managed(&name(other)), "{other}");
        }
    }

    #[test]
    fn stripping_removes_all_copies_and_nothing_else() {
        let managed = ManagedHeaders::default();
        let mut headers = HeaderMap::new();
        for (header, value) in [
            ("sm_user", "a"),
            ("sm-user", "b"),
            ("sm_user", "c"),
            ("accept", "*/*"),
        ] {
            headers.append(name(header), HeaderValue::from_static(value));
        }
        managed.strip(&mut headers);
        assert_eq!(headers.len(), 1);
        assert!(headers.contains_key("accept"));
    }

    #[test]
    fn forwarding_headers_of_strangers_are_not_believed() {
        let mut headers = HeaderMap::new();
        headers.insert(
            X_FORWARDED_FOR.clone(),
            HeaderValue::from_static("10.9.9.9"),
        );
        headers.insert(X_FORWARDED_PROTO.clone(), HeaderValue::from_static("http"));
        let origin = ClientOrigin::read(&connection("192.0.2.7:1"), &headers, &[]);
        assert_eq!(
            (origin.address, origin.https),
            ("192.0.2.7".parse().unwrap(), true)
        );
    }

    #[test]
    fn a_listed_proxy_is_believed_up_to_the_first_stranger() {
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        let mut headers = HeaderMap::new();
        headers.insert(
            X_FORWARDED_FOR.clone(),
            HeaderValue::from_static("1.1.1.1, 198.51.100.4, 10.0.0.2"),
        );
        let origin = ClientOrigin::read(&connection("10.0.0.1:1"), &headers, &trusted);
        assert_eq!(origin.address, "198.51.100.4".parse::<IpAddr>().unwrap());
        headers.insert(
            X_FORWARDED_FOR.clone(),
            HeaderValue::from_static("nonsense"),
        );
        let origin = ClientOrigin::read(&connection("10.0.0.1:1"), &headers, &trusted);
        assert_eq!(origin.address, "10.0.0.1".parse::<IpAddr>().unwrap());
    }
}
