//! Agents are registered, rotated and removed, and prove who they are.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt as _;
use policy_client::{PolicyCalls, PolicyError};
use policy_protocol::administration::{
    AddAgentRequest, AgentAnswer, AgentReport, RotateAgentRequest,
};
use policy_protocol::{EventKind, Secret};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tower::ServiceExt as _;

use crate::harness::{ADMIN_SECRET, AGENT, AGENT_SECRET, World, client_of, eventually};
use crate::network::trusting;

const NEW: &str = "gateway-2";

fn with_secret(name: &str) -> AddAgentRequest {
    AddAgentRequest {
        name: name.to_owned(),
        secret: true,
        certificate: None,
    }
}

#[track_caller]
fn secret(answer: AgentAnswer) -> Secret<String> {
    match answer {
        AgentAnswer::Yes {
            secret: Some(secret),
        } => secret,
        other => panic!("{other:?}"),
    }
}

async fn add(world: &World, name: &str) -> Secret<String> {
    secret(world.server.add_agent(&with_secret(name)).await.unwrap())
}

async fn rotate(world: &World, name: &str, grace: u64) -> AgentAnswer {
    let request = RotateAgentRequest {
        certificate: None,
        grace: Duration::from_secs(grace),
    };
    world.server.rotate_agent(name, &request).await.unwrap()
}

/// What the router answers an agent that asks for keys.
async fn status(world: &World, name: &str, secret: &str) -> u16 {
    let pair = STANDARD.encode(format!("{name}:{secret}"));
    let request = http::Request::get("/policy/v1/agent-keys")
        .header("authorization", format!("Basic {pair}"))
        .body(Body::empty())
        .unwrap();
    let response = world.server.router().oneshot(request).await.unwrap();
    response.status().as_u16()
}

#[tokio::test]
async fn an_agent_that_is_added_may_ask_everywhere_until_it_is_removed() {
    let [one, other] = World::pair(false).await;
    assert_eq!(status(&one, NEW, AGENT_SECRET).await, 401);
    let secret = add(&one, NEW).await;
    let secret = secret.expose();
    assert_eq!(secret.len(), 43);
    assert_eq!(
        status(&one, NEW, secret).await,
        200,
        "at once where it was added"
    );
    eventually("known", async || status(&other, NEW, secret).await == 200).await;
    assert_eq!(status(&other, AGENT, secret).await, 401);
    assert_eq!(status(&other, NEW, AGENT_SECRET).await, 401);
    assert!(other.server.remove_agent(NEW).await.unwrap());
    assert_eq!(status(&other, NEW, secret).await, 401);
    eventually("unknown", async || status(&one, NEW, secret).await == 401).await;
    assert!(!one.server.remove_agent(NEW).await.unwrap());
}

#[tokio::test]
async fn what_cannot_be_added_is_said_why() {
    let world = World::embedded().await;
    add(&world, NEW).await;
    let bad = [
        (with_secret(NEW), "there is an agent of this name"),
        (with_secret(AGENT), "configuration file"),
        (with_secret(""), "1 to 64"),
        (with_secret("a:b"), "1 to 64"),
        (
            AddAgentRequest {
                secret: false,
                ..with_secret("x")
            },
            "needs a secret",
        ),
        (
            AddAgentRequest {
                certificate: Some(String::from("ff")),
                ..with_secret("x")
            },
            "SHA-256",
        ),
    ];
    for (request, expected) in bad {
        match world.server.add_agent(&request).await.unwrap() {
            AgentAnswer::No { problem } => assert!(problem.contains(expected), "{problem}"),
            AgentAnswer::Yes { .. } => panic!("{request:?}"),
        }
    }
    for (name, expected) in [(AGENT, "configuration file"), ("nobody", "no agent")] {
        match rotate(&world, name, 0).await {
            AgentAnswer::No { problem } => assert!(problem.contains(expected), "{problem}"),
            AgentAnswer::Yes { .. } => panic!("{name}"),
        }
    }
    assert!(!world.server.remove_agent(AGENT).await.unwrap());
    assert_eq!(status(&world, AGENT, AGENT_SECRET).await, 200);
}

#[tokio::test]
async fn a_rotated_secret_leaves_no_gap_and_the_old_one_ends() {
    let world = World::embedded().await;
    let old = add(&world, NEW).await;
    let new = secret(rotate(&world, NEW, 3600).await);
    for text in [&old, &new] {
        assert_eq!(status(&world, NEW, text.expose()).await, 200);
    }
    // It does not get longer by rotating once more.
    world.clock.advance(Duration::from_secs(1800));
    let newest = secret(rotate(&world, NEW, 3600).await);
    world.clock.advance(Duration::from_secs(1800));
    assert_eq!(status(&world, NEW, old.expose()).await, 401);
    for text in [&new, &newest] {
        assert_eq!(status(&world, NEW, text.expose()).await, 200);
    }
    let report = world.server.agents_report().await.unwrap();
    let agent = report
        .agents
        .iter()
        .find(|agent| agent.name == NEW)
        .unwrap();
    let expiries: Vec<_> = agent.secrets.iter().map(|secret| secret.expires).collect();
    assert_eq!(
        expiries,
        [None, Some(world.now().plus(Duration::from_secs(1800)))]
    );
    let last = secret(rotate(&world, NEW, 0).await);
    assert_eq!(status(&world, NEW, newest.expose()).await, 401);
    // All of that is kept.
    let world = world.restart().await;
    assert_eq!(status(&world, NEW, newest.expose()).await, 401);
    assert_eq!(status(&world, NEW, last.expose()).await, 200);
}

#[tokio::test]
async fn secrets_that_still_hold_do_not_pile_up() {
    let world = World::embedded().await;
    add(&world, NEW).await;
    for _ in 0..7 {
        secret(rotate(&world, NEW, 3600).await);
    }
    assert!(matches!(
        rotate(&world, NEW, 3600).await,
        AgentAnswer::No { .. }
    ));
    world.clock.advance(Duration::from_secs(3600));
    secret(rotate(&world, NEW, 3600).await);
}

#[tokio::test]
async fn the_streams_of_an_agent_end_with_its_credentials() {
    let world = World::remote().await;
    let other = world.calls.events(None).await.unwrap();
    for remove in [true, false] {
        let secret = add(&world, NEW).await;
        let client = client_of(world.dir.path(), vec![world.url()], NEW, secret.expose());
        let mut stream = client.events(None).await.unwrap();
        stream.next().await.unwrap().unwrap();
        if remove {
            assert!(world.server.remove_agent(NEW).await.unwrap());
        } else {
            rotate(&world, NEW, 3600).await;
            world.clock.advance(Duration::from_secs(3600));
        }
        let ended = tokio::time::timeout(Duration::from_secs(30), async {
            while let Some(Ok(event)) = stream.next().await {
                assert_ne!(event.kind, EventKind::AgentsChanged);
            }
        });
        ended.await.unwrap();
        assert_eq!(client.agent_keys().await, Err(PolicyError::Failure));
    }
    drop(other);
}

#[tokio::test]
async fn agents_are_told_nothing_of_each_other_and_miss_nothing_by_that() {
    let world = World::embedded().await;
    let mut stream = world.calls.events(None).await.unwrap();
    let hello = stream.next().await.unwrap().unwrap();
    add(&world, NEW).await;
    world.server.revoke_user("bob").await.unwrap();
    let next = loop {
        let event = stream.next().await.unwrap().unwrap();
        if event.kind != EventKind::Heartbeat {
            break event;
        }
    };
    assert!(matches!(next.kind, EventKind::UserRevoked { .. }));
    assert_eq!(next.position.sequence, hello.position.sequence + 2);
    for position in [hello.position, next.position] {
        let mut stream = world.calls.events(Some(position.clone())).await.unwrap();
        loop {
            match stream.next().await.unwrap().unwrap().kind {
                EventKind::Hello { gap } => break assert!(!gap, "{position:?}"),
                EventKind::UserRevoked { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

/// An authority, and a certificate of an agent.
struct Certificates {
    authority: CertifiedIssuer<'static, KeyPair>,
}

impl Certificates {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self {
            authority: CertifiedIssuer::self_signed(params, key).unwrap(),
        }
    }

    /// A chain, its key, and its fingerprint.
    fn issue(&self) -> (CertificateDer<'static>, PrivateKeyDer<'static>, String) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![String::from("agent")])
            .unwrap()
            .signed_by(&key, &self.authority)
            .unwrap();
        let der = certificate.der().clone();
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &der);
        let fingerprint = hash.as_ref().iter().map(|byte| format!("{byte:02X}"));
        let fingerprint = fingerprint.collect::<Vec<_>>().join(":");
        (der, key.into(), fingerprint)
    }
}

/// The status of an answer to somebody who shows a certificate and credentials, if the handshake succeeds.
async fn status_with_certificate(
    world: &World,
    certificate: Option<(CertificateDer<'static>, PrivateKeyDer<'static>)>,
    pair: Option<&str>,
) -> Option<u16> {
    let trusting = trusting(world);
    let config = match certificate {
        Some((certificate, key)) => trusting
            .with_client_auth_cert(vec![certificate], key)
            .unwrap(),
        None => trusting.with_no_client_auth(),
    };
    let stream = TcpStream::connect(world.url().replace("https://", ""))
        .await
        .unwrap();
    let name = "localhost".try_into().unwrap();
    let stream = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await;
    let mut stream = stream.ok()?;
    let authorization = pair.map_or_else(String::new, |pair| {
        format!("authorization: Basic {}\r\n", STANDARD.encode(pair))
    });
    let head = format!(
        "GET /policy/v1/agent-keys HTTP/1.1\r\nhost: localhost\r\n{authorization}connection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer);
    answer.split(' ').nth(1)?.parse().ok()
}

#[tokio::test]
async fn a_certificate_proves_an_agent_alone_or_with_a_secret() {
    let certificates = Certificates::new();
    let world = World::remote().await;
    std::fs::write(
        world.dir.path().join("agents-ca.pem"),
        certificates.authority.pem(),
    )
    .unwrap();
    let of = |(certificate, key, fingerprint): (_, PrivateKeyDer<'static>, String)| {
        (
            move || Some((CertificateDer::clone(&certificate), key.clone_key())),
            fingerprint,
        )
    };
    let (configured, configured_fingerprint) = of(certificates.issue());
    let (only, only_fingerprint) = of(certificates.issue());
    let (both, both_fingerprint) = of(certificates.issue());
    let (unknown, _) = of(certificates.issue());
    let (forged, _) = of(Certificates::new().issue());
    world.reconfigure(|text| {
        text.replace("[listen]", "[listen]\nclient_ca_file = \"agents-ca.pem\"").replace(
            "[admin]",
            &format!("[[agents]]\nname = \"c\"\ncertificate_fingerprints = [\"{configured_fingerprint}\"]\n[admin]"),
        )
    });
    let world = world.restart().await;
    let request = AddAgentRequest {
        name: String::from("only"),
        secret: false,
        certificate: Some(only_fingerprint),
    };
    assert!(matches!(
        world.server.add_agent(&request).await.unwrap(),
        AgentAnswer::Yes { secret: None }
    ));
    let request = AddAgentRequest {
        name: String::from("both"),
        secret: true,
        certificate: Some(both_fingerprint),
    };
    let added = world.server.add_agent(&request).await.unwrap();
    let with_secret = format!("both:{}", secret(added).expose());
    let with_secret = with_secret.as_str();
    let configured_pair = format!("{AGENT}:{AGENT_SECRET}");
    let configured_pair = configured_pair.as_str();
    for (certificate, pair, expected) in [
        (configured(), None, Some(200)),
        (only(), None, Some(200)),
        (only(), Some("only:"), Some(200)),
        (only(), Some("c:"), Some(401)),
        (both(), Some(with_secret), Some(200)),
        (both(), None, Some(401)),
        (None, Some(with_secret), Some(401)),
        (only(), Some(with_secret), Some(401)),
        (both(), Some("both:wrong"), Some(401)),
        (unknown(), None, Some(401)),
        (unknown(), Some(configured_pair), Some(200)),
        (None, Some(configured_pair), Some(200)),
        (None, None, Some(401)),
        (forged(), Some(configured_pair), None),
    ] {
        let status = status_with_certificate(&world, certificate, pair).await;
        assert_eq!(status, expected, "{pair:?}");
    }
}

#[tokio::test]
async fn administrators_do_the_same_over_https() {
    let world = World::remote().await;
    let admin = world.admin(ADMIN_SECRET);
    let old = secret(admin.add_agent(&with_secret(NEW)).await.unwrap());
    let client = client_of(world.dir.path(), vec![world.url()], NEW, old.expose());
    let mut stream = client.events(None).await.unwrap();
    stream.next().await.unwrap().unwrap();
    let set = client.agent_keys().await.unwrap();
    let report = admin.agents().await.unwrap();
    let names: Vec<_> = report
        .agents
        .iter()
        .map(|agent| agent.name.as_str())
        .collect();
    assert_eq!(names, [AGENT, NEW]);
    let is_configured = |agent: &AgentReport| agent.created.is_none();
    assert!(is_configured(&report.agents[0]) && !is_configured(&report.agents[1]));
    let keys = admin.keys().await.unwrap();
    assert_eq!(keys.agent_keys.next, set.next.id);
    let there: Vec<_> = keys
        .servers
        .iter()
        .flat_map(|server| &server.agents)
        .collect();
    assert_eq!((there.len(), there[0].agent.as_str()), (1, NEW));
    assert!(there[0].address.is_some());
    assert_eq!(there[0].keys.map(|keys| keys.next), Some(set.next.id));
    let rolled = admin
        .roll_keys(&crate::harness::by_command())
        .await
        .unwrap();
    assert!(matches!(
        rolled,
        policy_protocol::administration::RollAnswer::Yes { .. }
    ));
    assert_eq!(client.agent_keys().await.unwrap().current, set.next);
    let request = RotateAgentRequest {
        certificate: None,
        grace: Duration::ZERO,
    };
    secret(admin.rotate_agent(NEW, &request).await.unwrap());
    assert_eq!(client.agent_keys().await, Err(PolicyError::Failure));
    admin.remove_agent(NEW).await.unwrap();
    assert_eq!(admin.agents().await.unwrap().agents.len(), 1);
    let nobody = world.admin(AGENT_SECRET);
    assert!(nobody.agents().await.is_err() && nobody.keys().await.is_err());
    assert!(nobody.add_agent(&with_secret("x")).await.is_err());
    assert!(
        nobody
            .roll_keys(&crate::harness::by_command())
            .await
            .is_err()
    );
}
