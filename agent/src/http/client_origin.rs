//! Who the client is and how it reached us (R3): what the connection says, and what listed proxies say.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use ipnet::IpNet;

use crate::http::ConnectionInfo;

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
static X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Where a request comes from, as far as trusted peers say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientOrigin {
    /// The client's address.
    pub address: IpAddr,
    /// Whether the client used TLS.
    pub https: bool,
    /// The addresses that a listed proxy speaks of, to be passed on.
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
        let chain = single(headers, &X_FORWARDED_FOR);
        let forwarded = single(headers, &header::FORWARDED).and_then(|line| line.to_str().ok());
        let address = match (chain, forwarded) {
            (Some(chain), _) => {
                let parts = chain.to_str().unwrap_or_default().rsplit(',');
                nearest_untrusted(parts.map(|part| part.trim().parse().ok()), trusted)
            }
            (None, Some(line)) => nearest_untrusted(line.rsplit(',').map(forwarded_for), trusted),
            (None, None) => None,
        };
        let proto = single(headers, &X_FORWARDED_PROTO).and_then(|proto| proto.to_str().ok());
        let proto = proto.or_else(|| parameter(forwarded?.rsplit(',').next()?, "proto"));
        Self {
            address: address.unwrap_or(peer),
            https: proto.map_or(conn.tls, |proto| proto.eq_ignore_ascii_case("https")),
            chain: chain.cloned(),
        }
    }

    /// Tells the upstream, and for which host the request is. Managed headers must have been stripped, and
    /// `host` be well-formed.
    pub fn write(&self, conn: &ConnectionInfo, host: &str, headers: &mut HeaderMap) {
        let make = || Forwarding::new(self, conn, host);
        let first = conn.forwarding.get_or_init(make);
        if first.origin == *self && first.host == host {
            first.write(headers);
        } else {
            make().write(headers);
        }
    }
}

/// What an upstream is told of the requests of one connection. The same for all of them, unless they are
/// for several hosts, or a listed proxy sends those of many clients: so the first ones are kept.
#[derive(Clone, Debug)]
pub struct Forwarding {
    origin: ClientOrigin,
    host: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Forwarding {
    fn new(origin: &ClientOrigin, conn: &ConnectionInfo, host: &str) -> Self {
        let peer = conn.peer.ip().to_canonical();
        let chain = match &origin.chain {
            Some(chain) => format!("{}, {peer}", chain.to_str().unwrap_or_default()),
            None => peer.to_string(),
        };
        let proto = if origin.https { "https" } else { "http" };
        let forwarded = match origin.address {
            IpAddr::V4(address) => format!("for={address};host=\"{host}\";proto={proto}"),
            IpAddr::V6(address) => format!("for=\"[{address}]\";host=\"{host}\";proto={proto}"),
        };
        let told = [
            (&X_FORWARDED_FOR, &*chain),
            (&X_FORWARDED_HOST, host),
            (&X_FORWARDED_PROTO, proto),
            (&header::FORWARDED, &*forwarded),
            (&header::HOST, host),
        ];
        let headers = told
            .into_iter()
            .filter_map(|(name, text)| Some((name.clone(), HeaderValue::from_str(text).ok()?)));
        Self {
            origin: origin.clone(),
            host: host.to_owned(),
            headers: headers.collect(),
        }
    }

    fn write(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.headers {
            headers.insert(name, value.clone());
        }
    }
}

/// Whether an address is in one of the networks.
pub fn is_listed(networks: &[IpNet], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(&address))
}

/// A header that is there exactly once: of two, one may be the client's own.
fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h HeaderValue> {
    let mut lines = headers.get_all(name).iter();
    lines.next().filter(|_| lines.next().is_none())
}

/// The last address in a chain that is not a listed proxy; each listed one vouches for the one before.
/// Nothing, if there is something in between that is no address.
fn nearest_untrusted(
    backwards: impl Iterator<Item = Option<IpAddr>>,
    trusted: &[IpNet],
) -> Option<IpAddr> {
    let mut nearest = None;
    for address in backwards {
        let address = address?.to_canonical();
        nearest = Some(address);
        if !is_listed(trusted, address) {
            break;
        }
    }
    nearest
}

/// The address of one element of `Forwarded` (RFC 7239), which may have a port.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let node = parameter(element, "for")?;
    match node.strip_prefix('[') {
        Some(bracketed) => bracketed.split(']').next()?.parse().ok(),
        None => node.split(':').next()?.parse().ok(),
    }
}

/// The value of a parameter of one element of `Forwarded`, without quotes.
fn parameter<'e>(element: &'e str, name: &str) -> Option<&'e str> {
    element.split(';').find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        let value = value.trim();
        let unquoted = value
            .strip_prefix('"')
            .and_then(|value| value.strip_suffix('"'));
        key.trim()
            .eq_ignore_ascii_case(name)
            .then(|| unquoted.unwrap_or(value))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
            forwarding: std::sync::OnceLock::new(),
        }
    }

    fn trusted() -> [IpNet; 1] {
        ["10.0.0.0/8".parse().unwrap()]
    }

    fn read(name: &HeaderName, value: &str) -> ClientOrigin {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_str(value).unwrap());
        ClientOrigin::read(&connection("10.0.0.1:1"), &headers, &trusted())
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn forwarding_headers_of_strangers_are_not_believed() {
        let mut headers = HeaderMap::new();
        headers.insert(&X_FORWARDED_FOR, HeaderValue::from_static("10.9.9.9"));
        headers.insert(&X_FORWARDED_PROTO, HeaderValue::from_static("http"));
        headers.insert(
            header::FORWARDED,
            HeaderValue::from_static("for=10.9.9.9;proto=http"),
        );
        let origin = ClientOrigin::read(&connection("192.0.2.7:1"), &headers, &trusted());
        assert_eq!((origin.address, origin.https), (address("192.0.2.7"), true));
    }

    #[test]
    fn a_listed_proxy_is_believed_up_to_the_first_stranger() {
        let chain = read(&X_FORWARDED_FOR, "1.1.1.1, 198.51.100.4, 10.0.0.2");
        assert_eq!(chain.address, address("198.51.100.4"));
        let forwarded = read(
            &header::FORWARDED,
            "for=1.1.1.1, for=\"[2001:db8::7]:80\";proto=http, for=10.0.0.2:99",
        );
        assert_eq!(forwarded.address, address("2001:db8::7"));
        let scheme = read(&header::FORWARDED, "for=198.51.100.4;Proto=HTTP");
        assert_eq!(
            (scheme.address, scheme.https),
            (address("198.51.100.4"), false)
        );
    }

    #[test]
    fn what_is_no_address_is_not_believed() {
        for value in ["nonsense", "", "1.1.1.1, _hidden", "unknown"] {
            assert_eq!(
                read(&X_FORWARDED_FOR, value).address,
                address("10.0.0.1"),
                "{value}"
            );
            let forwarded = format!("for={value}");
            assert_eq!(
                read(&header::FORWARDED, &forwarded).address,
                address("10.0.0.1"),
                "{value}"
            );
        }
        let mut twice = HeaderMap::new();
        for value in ["1.1.1.1", "2.2.2.2"] {
            twice.append(&X_FORWARDED_FOR, HeaderValue::from_static(value));
        }
        let origin = ClientOrigin::read(&connection("10.0.0.1:1"), &twice, &trusted());
        assert_eq!(origin.address, address("10.0.0.1"));
    }

    #[test]
    fn what_is_kept_for_a_connection_is_told_of_the_same_origin_and_host_only() {
        let conn = connection("10.0.0.1:1");
        for (client, host) in [
            ("198.51.100.4", "app.test"),
            ("198.51.100.5", "app.test"),
            ("198.51.100.4", "other.test"),
            ("198.51.100.4", "app.test"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static("of.the.client"));
            read(&X_FORWARDED_FOR, client).write(&conn, host, &mut headers);
            assert_eq!(headers[&X_FORWARDED_FOR], format!("{client}, 10.0.0.1"));
            assert_eq!(headers[&X_FORWARDED_HOST], host);
            assert_eq!(
                headers.get_all(header::HOST).iter().collect::<Vec<_>>(),
                [host]
            );
        }
    }

    #[test]
    fn the_upstream_is_told_the_chain_and_the_client() {
        let mut headers = HeaderMap::new();
        read(&X_FORWARDED_FOR, "198.51.100.4").write(
            &connection("10.0.0.1:1"),
            "app.test:8443",
            &mut headers,
        );
        assert_eq!(headers[&X_FORWARDED_FOR], "198.51.100.4, 10.0.0.1");
        assert_eq!(headers[&X_FORWARDED_HOST], "app.test:8443");
        assert_eq!(
            headers[header::FORWARDED],
            "for=198.51.100.4;host=\"app.test:8443\";proto=https"
        );
    }

    proptest! {
        #[test]
        fn arbitrary_forwarding_headers_never_panic(value in "[ -~]{0,80}") {
            read(&X_FORWARDED_FOR, &value);
            read(&header::FORWARDED, &value);
        }
    }
}
