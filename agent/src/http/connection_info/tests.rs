use policy_protocol::ManualClock;

use super::*;

const NOT_AFTER: Timestamp = Timestamp(1_000);

fn verified() -> VerifiedCertificate {
    VerifiedCertificate {
        certificate: Arc::new(ClientCertificate {
            subject: String::from("CN=alice"),
            issuer: String::from("CN=Test CA"),
            fingerprint: "0".repeat(64),
            common_names: Vec::new(),
            emails: Vec::new(),
            not_after: NOT_AFTER,
        }),
        trust: Arc::new(ClientTrust::new([1; 32])),
    }
}

#[test]
fn a_fingerprint_is_a_digest_in_hex() {
    let of_nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(fingerprint(b""), of_nothing);
}

#[test]
fn a_certificate_counts_to_its_end_and_as_long_as_nothing_else_is_trusted() {
    let verified = verified();
    assert!(verified.is_valid(NOT_AFTER));
    assert!(!verified.is_valid(NOT_AFTER.plus(Duration::from_secs(1))));
    verified.trust.supersede();
    assert!(!verified.is_valid(NOT_AFTER));
}

#[tokio::test(start_paused = true)]
async fn a_connection_hears_of_the_end_of_its_certificate() {
    let clock = ManualClock::at(NOT_AFTER);
    let expiring = verified();
    let long = EXPIRY_POLL * 10;
    let waited = tokio::time::timeout(long, expiring.lapsed(&clock)).await;
    assert!(waited.is_err(), "it is valid");
    let superseded = async {
        tokio::time::sleep(EXPIRY_POLL / 2).await;
        expiring.trust.supersede();
    };
    let at_once = tokio::time::timeout(EXPIRY_POLL * 3 / 4, expiring.lapsed(&clock));
    assert!(tokio::join!(at_once, superseded).0.is_ok());
    clock.advance(Duration::from_secs(1));
    verified().lapsed(&clock).await;
}
