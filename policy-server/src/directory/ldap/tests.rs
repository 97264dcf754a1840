use std::path::Path;

use ldap3::LdapResult;

use super::password_policy::Remark;
use super::verdict::{Verdict, verdict};
use super::*;
use crate::config::PolicyServerConfig;
use crate::config::ldap::CertificateSettings;
use crate::directory::{Directories, PasswordState};

fn result(rc: u32, text: &str) -> LdapResult {
    LdapResult {
        rc,
        matched: String::new(),
        text: text.to_owned(),
        refs: Vec::new(),
        ctrls: Vec::new(),
    }
}

#[test]
fn only_an_answer_about_the_password_is_a_no() {
    let verdict = |rc, text: &str| verdict(&result(rc, text), Remark::default());
    let ad = |code: &str| {
        format!("80090308: x, comment: AcceptSecurityContext error, data {code}, v4563")
    };
    assert!(matches!(
        verdict(0, ""),
        Ok(Verdict::Right(PasswordState::Good))
    ));
    assert!(matches!(verdict(49, ""), Ok(Verdict::Wrong)));
    assert!(matches!(verdict(49, &ad("52e")), Ok(Verdict::Wrong)));
    assert!(matches!(verdict(49, &ad("533")), Ok(Verdict::Disabled)));
    assert!(matches!(verdict(49, &ad("775")), Ok(Verdict::Locked)));
    let must_change = verdict(49, &ad("773"));
    assert!(matches!(
        must_change,
        Ok(Verdict::Right(PasswordState::MustChange))
    ));
    // Referral, confidentiality required, unavailable, unwilling.
    for rc in [1, 8, 10, 13, 50, 52, 53, 80] {
        assert!(verdict(rc, "").is_err(), "{rc}");
    }
}

#[test]
fn a_certificate_needs_what_its_filter_needs_exactly_once() {
    let settings = CertificateSettings {
        filter: String::from("(&(mail={email})(cn={cn}))"),
        attribute: None,
        issuers: vec![String::from("CN=ca")],
    };
    let one = [String::from("a*")];
    let two = [String::from("a"), String::from("b")];
    let facts = CertificateFacts {
        fingerprint: "f",
        subject: "s",
        issuer: "CN=ca",
        common_names: &one,
        emails: &one,
    };
    let filter = certificate_filter(&settings, facts);
    assert_eq!(filter.as_deref(), Some("(&(mail=a\\2a)(cn=a\\2a))"));
    let empty = [String::new()];
    for emails in [&[][..], &two, &empty] {
        assert_eq!(
            certificate_filter(&settings, CertificateFacts { emails, ..facts }),
            None
        );
    }
    let issuer = "CN=other";
    assert_eq!(
        certificate_filter(&settings, CertificateFacts { issuer, ..facts }),
        None
    );
}

#[tokio::test]
async fn the_filters_of_the_book_are_taken_and_broken_ones_are_not() {
    let open = |settings: &str| {
        let text = format!(
            "state_dir = \"s\"\n[[directories]]\nname = \"ad\"\nkind = \"ldap\"\n\
             urls = [\"ldaps://ad.example.com\"]\nbase = \"dc=example\"\n{settings}"
        );
        let config = PolicyServerConfig::parse(&text, "f", Path::new("/")).unwrap();
        Directories::open(&config.directories).map(drop)
    };
    open(
        "user_filter = \"(&(objectCategory=person)(sAMAccountName={name}))\"\n\
         disabled_filter = \"(userAccountControl:1.2.840.113556.1.4.803:=2)\"\n\
         group_filter = \"(member:1.2.840.113556.1.4.1941:={dn})\"",
    )
    .unwrap();
    for (key, value) in [
        ("user_filter", "uid={name}"),
        ("user_filter", "(&(uid={name})"),
        ("user_filter", "(uid:caseExactMatch:={name})"),
        ("disabled_filter", "(a=b"),
        ("group_filter", "((member={dn}))"),
        ("certificate_filter", "(mail={email}"),
    ] {
        let problems = open(&format!("{key} = \"{value}\""))
            .unwrap_err()
            .to_string();
        assert!(
            problems.starts_with(&format!("ad: {key}: ")),
            "{value}: {problems}"
        );
    }
}
