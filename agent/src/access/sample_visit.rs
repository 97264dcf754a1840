//! A request for unit tests: for a realm that asks for a client certificate, by somebody who has one.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use http::{HeaderMap, Method};
use policy_protocol::Timestamp;

use super::Facts;
use crate::http::ConnectionInfo;
use crate::http::client_origin::ClientOrigin;
use crate::http::connection_info::{ClientCertificate, ClientTrust, VerifiedCertificate};
use crate::http::target::RequestTarget;
use crate::http::transaction::TransactionId;
use crate::session::Sessions;
use crate::site::Site;
use crate::site::tests::site;

/// When it is.
pub(crate) const NOW: Timestamp = Timestamp(1_000_000);

const CONFIG: &str = r#"
[[listeners]]
address = "127.0.0.1:0"
tls.certificates = [{ cert_file = "tls.pem", key_file = "tls.pem" }]
tls.client_ca_file = "tls.pem"
tls.client_certificate = "optional"
[policy_server]
kind = "embedded"
config_file = "policy.toml"
[[upstreams]]
name = "app"
servers = ["http://127.0.0.1:3000"]
[[realms]]
name = "certified"
resource = "/"
upstream = "app"
scheme = "certificate"
"#;

/// A client of a service that has a certificate of its own.
fn certified() -> ConnectionInfo {
    ConnectionInfo {
        peer: "127.0.0.1:1".parse().unwrap(),
        local: "127.0.0.1:8443".parse().unwrap(),
        tls: true,
        server_name: None,
        require_matching_host: false,
        client_certificate: Some(VerifiedCertificate {
            certificate: Arc::new(ClientCertificate {
                subject: String::from("CN=service"),
                issuer: String::from("CN=Test CA"),
                fingerprint: "0".repeat(64),
                common_names: vec![String::from("service")],
                emails: Vec::new(),
                not_after: Timestamp(u64::MAX),
            }),
            trust: Arc::new(ClientTrust::new([0; 32])),
        }),
        worker: 0,
        redirect_to_https: None,
        services: None,
        forwarding: OnceLock::new(),
    }
}

/// What the request consists of.
pub(crate) struct SampleVisit {
    pub(crate) site: Site,
    pub(crate) target: RequestTarget,
    pub(crate) headers: HeaderMap,
    conn: ConnectionInfo,
    origin: ClientOrigin,
}

impl SampleVisit {
    pub(crate) fn new() -> Self {
        let (headers, conn) = (HeaderMap::new(), certified());
        let host = String::from("app.test");
        let uri = "/payroll".parse().unwrap();
        Self {
            site: site(CONFIG),
            target: RequestTarget::new(host, None, &uri, &Method::GET).unwrap(),
            origin: ClientOrigin::read(&conn, &headers, &[]).unwrap(),
            headers,
            conn,
        }
    }

    pub(crate) fn facts<'r>(&'r self, sessions: &'r Sessions) -> Facts<'r> {
        Facts {
            site: &self.site,
            conn: &self.conn,
            target: &self.target,
            origin: &self.origin,
            now: NOW,
            arrived: Instant::now(),
            transaction_id: TransactionId::next(),
            metrics: sessions.metrics.worker(0),
            from_script: false,
            resumed: None,
        }
    }
}
