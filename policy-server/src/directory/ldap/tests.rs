use super::*;

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
