//! Whose certificate is this?

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use policy_server::directory::{CertificateFacts, User};

use crate::harness::{World, people, person, slapd};

struct Facts<'a> {
    fingerprint: &'a str,
    subject: &'a str,
    emails: &'a [&'a str],
}

const NOTHING: Facts<'static> = Facts {
    fingerprint: "",
    subject: "",
    emails: &[],
};

async fn find(world: &World, facts: Facts<'_>) -> Option<Arc<User>> {
    let emails: Vec<_> = facts.emails.iter().map(ToString::to_string).collect();
    let certificate = CertificateFacts {
        fingerprint: facts.fingerprint,
        subject: facts.subject,
        issuer: "CN=ca",
        common_names: &[String::from("alice")],
        emails: &emails,
    };
    world
        .directories
        .find_certificate(certificate)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_certificate_is_the_users_whom_the_filter_finds() {
    let Some(slapd) = slapd(&people()) else {
        return;
    };
    let world = World::new(&slapd, "certificate_filter = \"(mail={email})\"");
    let by_mail = async |emails: &[&str]| find(&world, Facts { emails, ..NOTHING }).await;
    let alice = by_mail(&["alice@example.com"]).await.unwrap();
    assert_eq!(alice.identity.user_name, "alice");
    for emails in [
        &[][..],
        &["*"],
        &["nobody@example.com"],
        &["both@example.com"],
        &["alice@example.com", "carol@example.com"],
    ] {
        assert!(by_mail(emails).await.is_none(), "{emails:?}");
    }
    let by_name = World::new(&slapd, "certificate_filter = \"(cn={cn})\"");
    assert!(find(&by_name, NOTHING).await.is_some());
    let issuers = "certificate_filter = \"(cn={cn})\"\ncertificate_issuers = [\"CN=other\"]";
    assert!(find(&World::new(&slapd, issuers), NOTHING).await.is_none());
    assert!(find(&World::new(&slapd, ""), NOTHING).await.is_none());
}

#[tokio::test]
async fn the_entry_may_have_to_hold_the_very_certificate() {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new([])
        .unwrap()
        .self_signed(&key)
        .unwrap();
    let der = base64::engine::general_purpose::STANDARD.encode(certificate.der());
    let erna = person(
        "erna",
        &format!("mail: erna@example.com\nuserCertificate;binary:: {der}\n"),
    );
    let Some(slapd) = slapd(&format!("{}{erna}", people())) else {
        return;
    };
    let world = World::new(
        &slapd,
        "certificate_filter = \"(mail={email})\"\ncertificate_attribute = \"userCertificate;binary\"",
    );
    let hash = digest(&SHA256, certificate.der());
    let fingerprint: String = hash
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    for (email, fingerprint, is) in [
        ("erna@example.com", &*fingerprint, true),
        ("erna@example.com", "00", false),
        ("alice@example.com", &*fingerprint, false),
    ] {
        let facts = Facts {
            fingerprint,
            emails: &[email],
            ..NOTHING
        };
        assert_eq!(
            find(&world, facts).await.is_some(),
            is,
            "{email} {fingerprint}"
        );
    }
}

#[tokio::test]
async fn a_disabled_user_is_found_as_one() {
    let Some(slapd) = slapd(&people()) else {
        return;
    };
    let settings =
        "certificate_filter = \"(uid={subject})\"\ndisabled_filter = \"(title=disabled)\"";
    let world = World::new(&slapd, settings);
    let bob = Facts {
        subject: "bob",
        ..NOTHING
    };
    assert!(find(&world, bob).await.unwrap().disabled);
}
