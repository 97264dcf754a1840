use std::sync::OnceLock;
use std::time::Instant;

use http::Method;

use super::*;
use crate::access::Denial;
use crate::access::Facts;
use crate::http::ConnectionInfo;
use crate::http::client_origin::ClientOrigin;
use crate::http::connection_info::{ClientCertificate, ClientTrust, VerifiedCertificate};
use crate::http::transaction::TransactionId;
use crate::session::scripted_policy::ScriptedPolicy;
use crate::site::tests::site;
use http::HeaderMap;

const NOW: Timestamp = Timestamp(1_000_000);

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

/// The certificate of whoever asks says nothing of the user that is asked about: nobody is logged in with it.
#[tokio::test]
async fn a_decision_about_a_token_is_about_that_token_alone() {
    let policy = ScriptedPolicy::new(7);
    let sessions = policy.sessions(NOW);
    sessions.keys.replace(&policy.keys(7), NOW).unwrap();
    let (site, conn) = (site(CONFIG), certified());
    let target = RequestTarget::new(
        String::from("app.test"),
        None,
        &"/payroll".parse().unwrap(),
        &Method::GET,
    )
    .unwrap();
    let headers = HeaderMap::new();
    let facts = Facts {
        site: &site,
        conn: &conn,
        target: &target,
        origin: &ClientOrigin::read(&conn, &headers, &[]).unwrap(),
        now: NOW,
        arrived: Instant::now(),
        transaction_id: TransactionId::next(),
        metrics: sessions.metrics.worker(0),
        from_script: false,
    };
    let visit = facts.with(&headers);
    let core = Core::new(&sessions, &visit);
    // This policy server answers no login: an attempt would be "cannot tell".
    for token in [&b"garbage"[..], b"", b"LOGGEDOFF"] {
        let verdict = core.decide(token, &target).await;
        let Ok(Verdict::Denied(Denial::Challenge { realm, .. })) = verdict else {
            panic!("{verdict:?}");
        };
        assert_eq!(realm.name, "certified");
    }
}
