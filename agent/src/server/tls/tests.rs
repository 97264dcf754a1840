use std::path::Path;

use super::*;

/// A self-signed certificate for these names, in files.
fn certificate(dir: &Path, file: &str, names: &[&str]) -> CertificateFiles {
    let names: Vec<_> = names.iter().map(ToString::to_string).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let files = CertificateFiles {
        cert_file: dir.join(format!("{file}.crt")),
        key_file: dir.join(format!("{file}.key")),
    };
    std::fs::write(&files.cert_file, made.cert.pem()).unwrap();
    std::fs::write(&files.key_file, made.signing_key.serialize_pem()).unwrap();
    files
}

fn settings(certificates: Vec<CertificateFiles>) -> TlsSettings {
    TlsSettings {
        certificates,
        tls12: true,
        client_ca_file: None,
        client_certificate_required: false,
        crl_files: Vec::new(),
        crl_allow_unknown: false,
        require_matching_host: true,
    }
}

#[test]
fn certificates_are_chosen_by_server_name() {
    let dir = tempfile::tempdir().unwrap();
    let files = [
        certificate(dir.path(), "default", &["default.test"]),
        certificate(dir.path(), "wild", &["*.a.test"]),
        certificate(dir.path(), "exact", &["b.a.test", "C.test"]),
        certificate(dir.path(), "late", &["default.test"]),
    ];
    let all = Certificates::load(&files).unwrap();
    let name_of = |asked: Option<&str>| dns_names(all.choose(asked)).join(" ");
    for (asked, expected) in [
        (None, "default.test"),
        (Some("default.test"), "default.test"),
        (Some("unknown.test"), "default.test"),
        (Some("x.a.test"), "*.a.test"),
        (Some("B.A.test"), "b.a.test c.test"),
        (Some("c.test"), "b.a.test c.test"),
        (Some("a.test"), "default.test"),
        (Some("x.y.a.test"), "default.test"),
        (Some(""), "default.test"),
    ] {
        assert_eq!(name_of(asked), expected, "{asked:?}");
    }
    assert!(
        Arc::ptr_eq(all.choose(Some("default.test")), &all.default),
        "the first one wins"
    );
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut files = certificate(dir.path(), "a", &["a.test"]);
    files.key_file = certificate(dir.path(), "b", &["b.test"]).key_file;
    let error = server_config(&settings(vec![files])).unwrap_err();
    assert!(matches!(error, TlsError::File { file, .. } if file.ends_with("b.key")));
}

#[test]
fn files_that_do_not_serve_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let mut files = certificate(dir.path(), "a", &["a.test"]);
    files.cert_file = dir.path().join("missing.crt");
    let error = server_config(&settings(vec![files])).unwrap_err();
    assert!(error.to_string().contains("missing.crt"), "{error}");
    assert!(matches!(
        server_config(&settings(vec![])),
        Err(TlsError::NoCertificate)
    ));
}

#[test]
fn sessions_resume_only_where_no_client_certificate_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let files = certificate(dir.path(), "a", &["a.test"]);
    let open = server_config(&settings(vec![files.clone()])).unwrap();
    assert!(open.ticketer.enabled() && open.send_tls13_tickets > 0);
    assert_eq!(open.max_early_data_size, 0);
    let mut with_client_ca = settings(vec![files.clone()]);
    with_client_ca.client_ca_file = Some(files.cert_file);
    let mutual = server_config(&with_client_ca).unwrap();
    assert!(!mutual.ticketer.enabled() && mutual.send_tls13_tickets == 0);
    assert!(!mutual.session_storage.can_cache());
}
