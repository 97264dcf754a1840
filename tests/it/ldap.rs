//! Users in a real LDAP server, behind the users file. Skipped, loudly, where slapd is not installed.

use std::time::Duration;

use harness::gateway::{Deployment, Gateway, PASSWORD};
use harness::{Protocol, SeenRequest};
use http::StatusCode;
use policy_protocol::Reason;
use test_services::Slapd;

use crate::support::refused;

/// lena is in `operators`, and `operators` in `staff`; bob is in the users file too.
fn slapd() -> Option<Slapd> {
    let mut ldif = String::from(
        "dn: dc=example,dc=com\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: Example\n",
    );
    for name in ["lena", "bob"] {
        ldif += &format!(
            "\ndn: uid={name},dc=example,dc=com\nobjectClass: inetOrgPerson\nuid: {name}\ncn: {name}\n\
             sn: {name}\nmail: {name}@ldap.example.com\nuserPassword: {PASSWORD}\n"
        );
    }
    for (group, member) in [("operators", "uid=lena"), ("staff", "cn=operators")] {
        ldif += &format!(
            "\ndn: cn={group},dc=example,dc=com\nobjectClass: groupOfNames\ncn: {group}\n\
             member: {member},dc=example,dc=com\n"
        );
    }
    Slapd::start(&ldif)
}

async fn gateway(slapd: &Slapd, deployment: Deployment) -> Gateway {
    let directory = format!(
        "[[directories]]\nname = \"staff\"\nkind = \"ldap\"\nurls = [{:?}]\nca_file = {:?}\n\
         base = \"dc=example,dc=com\"\nattributes = [\"mail\"]\ngroup_filter = \"(member={{dn}})\"\n\
         disabled_filter = \"(title=disabled)\"\ntimeout = \"1s\"\ncache = \"0s\"",
        slapd.tls_url(),
        slapd.ca_file()
    );
    let setup = Gateway::setup().deployment(deployment);
    setup.with_policy(&directory).start().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_in_ldap_logs_in_with_nested_groups_until_disabled_there() {
    for deployment in Deployment::BOTH {
        let Some(slapd) = slapd() else { return };
        let gateway = gateway(&slapd, deployment).await;
        let client = gateway.client(Protocol::Http2);
        client.login("/staff/", "Lena", PASSWORD).await;
        let seen: SeenRequest = client.get("/staff/").await.json();
        assert_eq!(seen.header("SM_USER"), Some("lena"));
        assert_eq!(seen.header("SM_USERDN"), Some("uid=lena,dc=example,dc=com"));
        assert_eq!(seen.header("SM_USERGROUPS"), Some("operators^staff"));
        assert_eq!(seen.header("SM_AUTHDIRNAME"), Some("staff"));
        let disable =
            "dn: uid=lena,dc=example,dc=com\nchangetype: modify\nadd: title\ntitle: disabled\n";
        slapd.modify(disable).unwrap();
        gateway.clock.advance(Duration::from_secs(300));
        assert_eq!(refused(&client.get("/staff/").await), Reason::USER_DISABLED);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_users_file_comes_first_and_an_outage_of_ldap_is_no_wrong_password() {
    let Some(mut slapd) = slapd() else { return };
    let gateway = gateway(&slapd, Deployment::Embedded).await;
    let bob = gateway.client(Protocol::Http1);
    bob.login("/app/", "bob", PASSWORD).await;
    let seen: SeenRequest = bob.get("/app/").await.json();
    assert_eq!(seen.header("SM_AUTHDIRNAME"), Some("users"));
    slapd.kill();
    let client = gateway.client(Protocol::Http1);
    client.get("/app/").await;
    let answer = client.submit_login("/app/", "lena", PASSWORD).await;
    assert_eq!(
        answer.status,
        StatusCode::SERVICE_UNAVAILABLE,
        "{}",
        answer.text()
    );
    // Those of the file do not need LDAP.
    let carol = gateway.client(Protocol::Http1);
    carol.login("/app/", "carol", PASSWORD).await;
    slapd.restart();
    let lena = gateway.client(Protocol::Http1);
    lena.login("/app/", "lena", PASSWORD).await;
    assert_eq!(lena.get("/app/").await.status, StatusCode::OK);
}
