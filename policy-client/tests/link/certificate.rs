use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use policy_client::native::{NativeClient, NativeSettings};
use policy_client::{ClientCertificate, ClientError};

use crate::server::{Pki, Server, ask, client, settings};

fn certificate(cert_file: &str, key_file: &str) -> Option<ClientCertificate> {
    Some(ClientCertificate {
        cert_file: Pki::get().file(cert_file),
        key_file: Pki::get().file(key_file),
    })
}

#[tokio::test]
async fn an_agent_shows_its_certificate_and_needs_no_secret_then() {
    let server = Server::start().await;
    let with_certificate = NativeSettings {
        client_certificate: certificate("agent.pem", "agent.key"),
        ..settings(&[&server])
    };
    let without_secret = NativeSettings {
        agent_secret: None,
        ..with_certificate.clone()
    };
    ask(&client(&[&server])).await.unwrap();
    for settings in [with_certificate, without_secret] {
        ask(&NativeClient::new(&settings).unwrap()).await.unwrap();
    }
    let basic = Some(format!("Basic {}", STANDARD.encode("agent:secret")));
    let seen = server.seen();
    let shown: Vec<_> = seen
        .iter()
        .map(|seen| (seen.certificates, seen.authorization.clone()))
        .collect();
    assert_eq!(shown, [(0, basic.clone()), (1, basic), (1, None)]);
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_is_told_of_its_file() {
    for (cert_file, key_file, told) in [
        ("agent.pem", "none.key", "none.key"),
        ("none.pem", "agent.key", "none.pem"),
        ("agent.pem", "localhost.key", "agent.pem"),
    ] {
        let settings = NativeSettings {
            client_certificate: certificate(cert_file, key_file),
            servers: policy_client::ServerList::in_order(vec![String::from("https://a")]),
            ..settings(&[])
        };
        match NativeClient::new(&settings) {
            Err(ClientError::ClientCertificate { file, .. }) => {
                assert_eq!(file.file_name().unwrap(), told);
            }
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("{cert_file} with {key_file} is accepted"),
        }
    }
}

#[tokio::test]
async fn every_request_names_its_client_and_no_two_clients_are_one() {
    let server = Server::start().await;
    for client in [client(&[&server]), client(&[&server])] {
        for _ in 0..2 {
            ask(&client).await.unwrap();
        }
    }
    let names: Vec<_> = server
        .seen()
        .into_iter()
        .map(|seen| seen.instance.unwrap())
        .collect();
    assert_eq!(names[0], names[1]);
    assert_eq!(names[2], names[3]);
    assert_ne!(names[0], names[2]);
    assert_eq!(URL_SAFE_NO_PAD.decode(&names[0]).unwrap().len(), 20);
}
