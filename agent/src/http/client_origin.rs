//! Who the client is and how it reached us (R3): what the connection says, and what listed proxies say.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName, HeaderValue, header};
use ipnet::IpNet;

use crate::access::Denial;
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
    chain: Option<String>,
}

impl ClientOrigin {
    /// Where a client is that another one speaks for.
    pub const fn of(address: IpAddr, https: bool) -> Self {
        Self {
            address,
            https,
            chain: None,
        }
    }

    /// Reads what the connection, and only a listed proxy's headers, say of the client. To be called
    /// before managed headers are stripped.
    ///
    /// # Errors
    /// If a listed proxy says something that is no address: whose it is must not be guessed, least of all
    /// that it is the proxy's own.
    pub fn read(
        conn: &ConnectionInfo,
        headers: &HeaderMap,
        trusted: &[IpNet],
    ) -> Result<Self, Denial> {
        let peer = conn.peer.ip().to_canonical();
        if !is_listed(trusted, peer) {
            return Ok(Self {
                address: peer,
                https: conn.tls,
                chain: None,
            });
        }
        let chain = joined(headers, &X_FORWARDED_FOR)?;
        let forwarded = joined(headers, &header::FORWARDED)?;
        let nearest = match (&chain, &forwarded) {
            (Some(chain), _) => nearest_untrusted(chain.rsplit(',').map(address), trusted)?,
            (None, Some(line)) => nearest_untrusted(line.rsplit(',').map(forwarded_for), trusted)?,
            (None, None) => peer,
        };
        // The last one was written by the proxy that we are connected to.
        let proto = joined(headers, &X_FORWARDED_PROTO)?;
        let proto = proto.as_deref().and_then(|proto| proto.rsplit(',').next());
        let proto = proto.or_else(|| parameter(forwarded.as_deref()?.rsplit(',').next()?, "proto"));
        Ok(Self {
            address: nearest,
            https: proto.map_or(conn.tls, |proto| proto.trim().eq_ignore_ascii_case("https")),
            chain,
        })
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
            Some(chain) => format!("{chain}, {peer}"),
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

/// All lines of a header as one list, as proxies may add lines of their own.
fn joined(headers: &HeaderMap, name: &HeaderName) -> Result<Option<String>, Denial> {
    let lines = headers.get_all(name).iter().map(HeaderValue::to_str);
    let lines = lines
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| UNREADABLE)?;
    Ok((!lines.is_empty()).then(|| lines.join(", ")))
}

/// What a proxy that is believed must not say.
const UNREADABLE: Denial = Denial::BadRequest("a listed proxy does not say where the client is");

/// The last address in a chain that is not a listed proxy; each listed one vouches for the one before.
fn nearest_untrusted(
    backwards: impl Iterator<Item = Option<IpAddr>>,
    trusted: &[IpNet],
) -> Result<IpAddr, Denial> {
    let mut nearest = Err(UNREADABLE);
    for address in backwards {
        let address = address.ok_or(UNREADABLE)?.to_canonical();
        nearest = Ok(address);
        if !is_listed(trusted, address) {
            break;
        }
    }
    nearest
}

/// An address that may have a port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let with_port = || Some(text.parse::<SocketAddr>().ok()?.ip());
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    text.parse().ok().or_else(with_port).or_else(bracketed)
}

/// The address of one element of `Forwarded` (RFC 7239).
fn forwarded_for(element: &str) -> Option<IpAddr> {
    address(parameter(element, "for")?)
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
            services: None,
            forwarding: std::sync::OnceLock::new(),
        }
    }

    fn trusted() -> [IpNet; 1] {
        ["10.0.0.0/8".parse().unwrap()]
    }

    fn read(name: &HeaderName, values: &[&str]) -> Result<ClientOrigin, Denial> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        ClientOrigin::read(&connection("10.0.0.1:1"), &headers, &trusted())
    }

    fn read_address(name: &HeaderName, values: &[&str]) -> Option<String> {
        Some(read(name, values).ok()?.address.to_string())
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
        let origin = ClientOrigin::read(&connection("192.0.2.7:1"), &headers, &trusted()).unwrap();
        assert_eq!(
            (origin.address.to_string().as_str(), origin.https),
            ("192.0.2.7", true)
        );
    }

    #[test]
    fn a_listed_proxy_is_believed_up_to_the_first_stranger() {
        for (values, expected) in [
            (&["1.1.1.1, 198.51.100.4, 10.0.0.2"][..], "198.51.100.4"),
            (&["1.1.1.1", "198.51.100.4"], "198.51.100.4"),
            (&["198.51.100.4:4711"], "198.51.100.4"),
            (&["[2001:db8::7]:80"], "2001:db8::7"),
            (&["2001:db8::7,10.0.0.3"], "2001:db8::7"),
            (&["10.0.0.9"], "10.0.0.9"),
        ] {
            assert_eq!(
                read_address(&X_FORWARDED_FOR, values).as_deref(),
                Some(expected),
                "{values:?}"
            );
        }
        let forwarded = ["for=1.1.1.1, for=\"[2001:db8::7]:80\";proto=http, for=10.0.0.2:99"];
        assert_eq!(
            read_address(&header::FORWARDED, &forwarded).as_deref(),
            Some("2001:db8::7")
        );
        let scheme = read(&header::FORWARDED, &["for=198.51.100.4;Proto=HTTP"]).unwrap();
        assert!(!scheme.https);
    }

    #[test]
    fn what_is_no_address_is_refused_and_never_read_as_the_proxys_own() {
        for value in [
            "nonsense",
            "",
            "1.1.1.1, _hidden",
            "unknown",
            "1.1.1.1, ",
            "1.2.3",
            "1.1.1.1:x",
        ] {
            assert_eq!(read_address(&X_FORWARDED_FOR, &[value]), None, "{value}");
            let forwarded = format!("for={value}");
            assert_eq!(
                read_address(&header::FORWARDED, &[&forwarded]),
                None,
                "{value}"
            );
        }
        assert_eq!(read_address(&X_FORWARDED_FOR, &["1.1.1.1", "x"]), None);
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
            let origin = read(&X_FORWARDED_FOR, &[client]).unwrap();
            origin.write(&conn, host, &mut headers);
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
        let origin = read(&X_FORWARDED_FOR, &["198.51.100.4"]).unwrap();
        origin.write(&connection("10.0.0.1:1"), "app.test:8443", &mut headers);
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
            let _ = read(&X_FORWARDED_FOR, &[&value]);
            let _ = read(&header::FORWARDED, &[&value]);
        }
    }
}
