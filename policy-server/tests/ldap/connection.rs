//! How servers are reached: with TLS, and nobody else than those configured.

use policy_server::directory::Authentication;
use test_services::{Certificate, Slapd};

use crate::harness::{PASSWORD, World, people, section, slapd};

#[tokio::test]
async fn tls_is_begun_or_there_from_the_start() {
    let Some(slapd) = slapd(&people()) else {
        return;
    };
    let urls = [slapd.url()];
    let plain = section("staff", &urls, &slapd, "allow_plaintext = true");
    let begun = section("staff", &urls, &slapd, "start_tls = true");
    let there = section("staff", &[slapd.tls_url()], &slapd, "");
    for text in [plain, begun, there] {
        assert_eq!(
            World::of(&text).log_in("alice").await.user_name,
            "alice",
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_server_with_another_certificate_is_not_asked() {
    let Some(slapd) = slapd(&people()) else {
        return;
    };
    for (url, settings) in [
        (slapd.tls_url(), ""),
        (slapd.url(), "start_tls = true\n"),
        // The certificate is right, and not for this name.
        (
            format!("ldaps://127.0.0.2:{}", slapd.tls_address().port()),
            "",
        ),
    ] {
        let own = url.contains("127.0.0.2");
        let other = Certificate::new().ca_pem;
        let pem = if own {
            slapd.certificate().ca_pem.clone()
        } else {
            other
        };
        let settings = format!("{settings}ca_file = \"ca.pem\"");
        let text = section("staff", &[url], &slapd, &settings);
        let world = World::with(&text, |dir| {
            std::fs::write(dir.path().join("ca.pem"), pem).unwrap();
        });
        assert!(world.ask("alice", PASSWORD).await.is_err(), "{text}");
    }
}

/// The tree goes on at another server, which is not in the configuration.
#[tokio::test]
async fn a_referral_is_not_followed() {
    let Some(elsewhere) = slapd(&people()) else {
        return;
    };
    let referral = format!(
        "\ndn: ou=elsewhere,ou=people,dc=example,dc=com\nobjectClass: referral\n\
         objectClass: extensibleObject\nou: elsewhere\n\
         ref: {}/ou=people,dc=example,dc=com??sub\n",
        elsewhere.url()
    );
    let Some(slapd) = slapd(&format!("{}{referral}", crate::harness::person("zoe", ""))) else {
        return;
    };
    let world = World::new(&slapd, "");
    assert_eq!(
        world.ask("alice", PASSWORD).await,
        Ok(Authentication::UnknownUser)
    );
    assert_eq!(world.log_in("zoe").await.user_name, "zoe");
    let base = "ou=elsewhere,ou=people,dc=example,dc=com";
    let text = section("staff", &[slapd.tls_url()], &slapd, "")
        .replace("ou=people,dc=example,dc=com", base);
    let below = World::of(&text);
    assert!(
        below.ask("alice", PASSWORD).await.is_err(),
        "no answer is not a no"
    );
}

#[tokio::test]
async fn a_service_that_may_not_search_is_no_answer() {
    let Some(slapd) = slapd(&people()) else {
        return;
    };
    let text = section("staff", &[slapd.tls_url()], &slapd, "");
    let world = World::with(&text, |dir| {
        std::fs::write(dir.path().join("password"), "another").unwrap();
    });
    assert!(world.ask("alice", PASSWORD).await.is_err());
    assert!(world.ask("nobody", PASSWORD).await.is_err());
    // Nobody in particular may search here.
    let anonymous = World::of(&text.replace("$service", ""));
    assert_eq!(anonymous.log_in("alice").await.user_name, "alice");
    drop::<Slapd>(slapd);
}
