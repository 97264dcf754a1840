//! `doorward agents`.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Output;

use policy_client::PolicyCalls as _;
use reqwest::StatusCode;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::world::{SECRET, World, log_in, text};

async fn agents(world: &World, arguments: &[&str]) -> Output {
    world.command("agents", arguments).await
}

async fn code(world: &World, arguments: &[&str]) -> Option<i32> {
    agents(world, arguments).await.status.code()
}

/// The status that an agent gets that asks for keys.
async fn asked(world: &World, agent: &str, secret: &str) -> StatusCode {
    let authority = CertificateDer::from_pem_file(world.path("cert.pem")).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(authority).unwrap();
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let tls = rustls::ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .build()
        .unwrap();
    let url = format!("{}/policy/v1/agent-keys", world.url().await);
    let asking = client.get(url).basic_auth(agent, Some(secret)).send();
    asking.await.unwrap().status()
}

/// The secret in a file that a command has written.
fn secret_in(world: &World, name: &str) -> String {
    let mode = world.path(name).metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let text = world.read(name);
    let secret = text.strip_suffix('\n').unwrap();
    assert!(secret.len() >= 32 && !secret.contains('\n'));
    secret.to_owned()
}

#[tokio::test]
async fn an_agent_is_added_rotated_and_removed_by_command() {
    let world = World::start();
    let [out, new] = ["first", "second"].map(|name| world.path(name).display().to_string());
    let added = agents(&world, &["add", "gateway-2", "--out", &out]).await;
    assert_eq!(added.status.code(), Some(0));
    let first = secret_in(&world, "first");
    for said in [&added.stdout, &added.stderr] {
        assert!(!text(said).contains(&first));
    }
    let agent = world.client_of("gateway-2", &first).await;
    agent.agent_keys().await.unwrap();
    log_in(&agent, "alice").await;
    assert_eq!(
        asked(&world, "gateway-2", SECRET).await,
        StatusCode::UNAUTHORIZED
    );

    // Neither a second agent of the name, nor a second secret in the file.
    assert_eq!(
        code(&world, &["add", "gateway-2", "--out", &new]).await,
        Some(1)
    );
    assert!(!world.path("second").exists());
    assert_eq!(
        code(&world, &["rotate", "gateway-2", "--out", &out]).await,
        Some(1)
    );
    assert_eq!(secret_in(&world, "first"), first);

    let rotate = ["rotate", "gateway-2", "--grace", "1h", "--out", &new];
    assert_eq!(code(&world, &rotate).await, Some(0));
    let second = secret_in(&world, "second");
    assert_ne!(first, second);
    for secret in [&first, &second] {
        assert_eq!(asked(&world, "gateway-2", secret).await, StatusCode::OK);
        log_in(&world.client_of("gateway-2", secret).await, "alice").await;
    }
    let listed = agents(&world, &["list"]).await;
    assert_eq!(listed.status.code(), Some(0));
    let listed = text(&listed.stdout);
    let line = |name: &str| listed.lines().find(|line| line.starts_with(name)).unwrap();
    assert!(
        line("gateway-2 ").contains("by command     secret (and 1 old)"),
        "{listed}"
    );
    assert!(
        line("agent-1 ").contains("in the file    secret"),
        "{listed}"
    );

    // Without a file it is printed, alone, so that it can be piped.
    let rotated = agents(&world, &["rotate", "gateway-2", "--grace", "0s"]).await;
    assert_eq!(rotated.status.code(), Some(0));
    assert!(text(&rotated.stderr).contains("told only once"));
    let third = text(&rotated.stdout).trim_end().to_owned();
    for (secret, status) in [
        (&first, StatusCode::UNAUTHORIZED),
        (&second, StatusCode::UNAUTHORIZED),
        (&third, StatusCode::OK),
    ] {
        assert_eq!(asked(&world, "gateway-2", secret).await, status);
    }

    assert_eq!(code(&world, &["remove", "gateway-2"]).await, Some(0));
    assert_eq!(
        asked(&world, "gateway-2", &third).await,
        StatusCode::UNAUTHORIZED
    );
    agent.agent_keys().await.unwrap_err();
    for (arguments, expected) in [
        (["remove", "gateway-2"], 1),
        (["remove", "agent-1"], 1),
        (["rotate", "gateway-2"], 1),
        (["remove", "--roll"], 2),
    ] {
        assert_eq!(
            code(&world, &arguments).await,
            Some(expected),
            "{arguments:?}"
        );
    }
    assert_eq!(asked(&world, "agent-1", SECRET).await, StatusCode::OK);
    let (acts, told) = (world.acts(), world.read("log") + &world.read("audit.jsonl"));
    for act in ["add-agent", "rotate-agent", "remove-agent", "list-agents"] {
        assert!(acts.contains(&act.to_owned()), "{acts:?}");
    }
    for secret in [&first, &second, &third] {
        assert!(!told.contains(secret.as_str()));
    }
}
