//! SAML assertions at the vSphere service: who comes in with one, for how long, and who does not.

use std::io::Write as _;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaEncoding};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use harness::client::{Answer, empty};
use harness::gateway::{Deployment, Gateway, HOST};
use harness::{Protocol, RawClient};
use http::Method;
use policy_protocol::{Clock as _, Timestamp};
use serde_json::{Value, json};

use crate::services_vsphere::{
    OFFERED, sdk_rpc, send_rpc, unauthenticated_old, unauthenticated_rpc,
};
use crate::support::holding;

const ISSUER: &str = "https://sts.test/vsphere.local";
const AUDIENCE: &str = "https://app.test";
const OLD: &str = "/rest/com/vmware/cis/session";
const NEW: &str = "/api/session";
const DS: &str = "http://www.w3.org/2000/09/xmldsig#";
const MINUTE: Duration = Duration::from_secs(60);

/// The agent's part.
fn taking_assertions() -> String {
    let saml = format!(
        "services.vsphere = {{ realm = \"app\", saml = {{ issuer = {ISSUER:?}, \
         certificates_file = \"sts.pem\", audience = {AUDIENCE:?}, \
         sts_url = \"https://sts.test/sts\" }} }}"
    );
    OFFERED.replace("services.vsphere.realm = \"app\"", &saml)
}

/// The policy server's part.
const BELIEVED: &str = "[[assertions]]\nissuer = \"https://sts.test/vsphere.local\"\nagents = [\"agent-1\"]\n\
                        domains = [\"VSPHERE.LOCAL\"]";

/// Signs what is in canonical form already.
struct Signer {
    key: KeyPair,
    certificate: rcgen::Certificate,
}

impl Signer {
    fn new() -> Self {
        harness::pki::install_crypto_provider();
        let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = key.as_der().unwrap();
        let pair = rcgen::KeyPair::try_from(der.as_ref()).unwrap();
        let params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        let certificate = params.self_signed(&pair).unwrap();
        Self { key, certificate }
    }

    fn sign(&self, message: &[u8]) -> String {
        let mut signature = vec![0; self.key.public_modulus_len()];
        let with: &'static dyn RsaEncoding = &RSA_PKCS1_SHA256;
        let random = SystemRandom::new();
        self.key
            .sign(with, &random, message, &mut signature)
            .unwrap();
        STANDARD.encode(signature)
    }

    fn assertion(&self, about: &About<'_>) -> String {
        let About {
            name,
            issuer,
            audience,
            until,
            holder,
        } = about;
        let confirmation = match holder {
            None => String::from(
                "<a:SubjectConfirmation Method=\"urn:oasis:names:tc:SAML:2.0:cm:bearer\"></a:SubjectConfirmation>",
            ),
            Some(holder) => format!(
                "<a:SubjectConfirmation Method=\"urn:oasis:names:tc:SAML:2.0:cm:holder-of-key\">\
                 <a:SubjectConfirmationData><d:KeyInfo xmlns:d=\"{DS}\"><d:X509Data><d:X509Certificate>{}\
                 </d:X509Certificate></d:X509Data></d:KeyInfo></a:SubjectConfirmationData></a:SubjectConfirmation>",
                STANDARD.encode(holder.certificate.der())
            ),
        };
        let open = "<a:Assertion xmlns:a=\"urn:oasis:names:tc:SAML:2.0:assertion\" ID=\"_1\" Version=\"2.0\">";
        let issuer = format!("<a:Issuer>{issuer}</a:Issuer>");
        let rest = format!(
            "<a:Subject><a:NameID>{name}</a:NameID>{confirmation}</a:Subject>\
             <a:Conditions NotOnOrAfter=\"{}\"><a:AudienceRestriction><a:Audience>{audience}</a:Audience>\
             </a:AudienceRestriction></a:Conditions></a:Assertion>",
            rfc3339(*until)
        );
        let covered = STANDARD.encode(digest(&SHA256, format!("{open}{issuer}{rest}").as_bytes()));
        let info = format!(
            "<d:SignedInfo xmlns:d=\"{DS}\">\
             <d:CanonicalizationMethod Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"></d:CanonicalizationMethod>\
             <d:SignatureMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256\"></d:SignatureMethod>\
             <d:Reference URI=\"#_1\"><d:Transforms>\
             <d:Transform Algorithm=\"{DS}enveloped-signature\"></d:Transform>\
             <d:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"></d:Transform></d:Transforms>\
             <d:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"></d:DigestMethod>\
             <d:DigestValue>{covered}</d:DigestValue></d:Reference></d:SignedInfo>"
        );
        let value = self.sign(info.as_bytes());
        format!(
            "{open}{issuer}<d:Signature xmlns:d=\"{DS}\">{info}\
             <d:SignatureValue>{value}</d:SignatureValue></d:Signature>{rest}"
        )
    }
}

/// What an assertion says.
#[derive(Clone, Copy)]
struct About<'a> {
    name: &'a str,
    issuer: &'a str,
    audience: &'a str,
    until: Timestamp,
    holder: Option<&'a Signer>,
}

impl About<'_> {
    fn alice(gateway: &Gateway) -> Self {
        Self {
            name: "alice@VSPHERE.LOCAL",
            issuer: ISSUER,
            audience: AUDIENCE,
            until: gateway.clock.now().plus(MINUTE * 10),
            holder: None,
        }
    }
}

/// With milliseconds, as assertions have it.
fn rfc3339(at: Timestamp) -> String {
    at.to_string().replace('Z', ".000Z")
}

fn packed(xml: &str) -> String {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(xml.as_bytes()).unwrap();
    STANDARD.encode(packer.finish().unwrap())
}

fn sign_header(xml: &str) -> String {
    format!("SIGN token=\"{}\"", packed(xml))
}

fn bearer(xml: &str) -> Value {
    json!({ "schemeId": "com.vmware.vapi.std.security.saml_bearer_token", "samlToken": xml })
}

/// A world where assertions of `signer` are believed of `agent-1`, and a gateway that takes them.
async fn world(deployment: Deployment, signer: &Signer, policy: &str) -> (Gateway, Gateway) {
    let setup = Gateway::setup().deployment(deployment).with_policy(policy);
    let plain = setup.start().await;
    let pem = signer.certificate.pem();
    std::fs::write(plain.folder.path().join("sts.pem"), pem).unwrap();
    let taking = plain.beside(&taking_assertions()).await;
    (plain, taking)
}

async fn create(gateway: &Gateway, path: &str, authorization: &str) -> Answer {
    let client = gateway.client(Protocol::Http1);
    let request = client
        .request(Method::POST, path)
        .header("authorization", authorization)
        .header("vmware-use-header-authn", "true");
    client.send(request.body(empty()).unwrap()).await
}

async fn get(gateway: &Gateway, id: &str) -> Answer {
    let client = gateway.client(Protocol::Http1);
    let request = client
        .request(Method::GET, NEW)
        .header("vmware-api-session-id", id);
    client.send(request.body(empty()).unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assertion_opens_a_session_until_it_is_over() {
    for deployment in Deployment::BOTH {
        let signer = Signer::new();
        let (_plain, gateway) = world(deployment, &signer, BELIEVED).await;
        let xml = signer.assertion(&About::alice(&gateway));
        let old = create(&gateway, OLD, &sign_header(&xml)).await;
        assert_eq!(old.status, 200, "{}", old.text());
        let id = old.json::<Value>()["value"].as_str().unwrap().to_owned();
        // A bearer's assertion may be used again, as long as it lasts.
        let new = create(&gateway, NEW, &sign_header(&xml)).await;
        assert_eq!(new.status, 201, "{}", new.text());
        let mut raw = gateway.raw().await;
        let created = sdk_rpc(&mut raw, "create", bearer(&xml), "0").await;
        assert!(created["output"]["SECRET"].is_string(), "{created}");
        assert_eq!(get(&gateway, &id).await.json::<Value>()["user"], "alice");
        let browser = holding(&gateway, &id, Protocol::Http1);
        assert_eq!(browser.get("/app/").await.status, 200);
        // The absolute end was computed at creation: using it does not move it.
        for _ in 0..9 {
            gateway.clock.advance(MINUTE);
            assert_eq!(get(&gateway, &id).await.status, 200);
        }
        gateway.clock.advance(MINUTE);
        assert_eq!(get(&gateway, &id).await.status, 401);
        assert_eq!(browser.get("/app/").await.status, 302);
        assert_eq!(create(&gateway, OLD, &sign_header(&xml)).await.status, 401);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_wrong_with_an_assertion_is_answered_alike() {
    let (signer, stranger) = (Signer::new(), Signer::new());
    let (_plain, gateway) = world(Deployment::Remote, &signer, BELIEVED).await;
    let alice = About::alice(&gateway);
    let good = signer.assertion(&alice);
    let of = |about: About<'_>| signer.assertion(&about);
    let unsigned = {
        let (before, rest) = good.split_once("<d:Signature ").unwrap();
        let after = rest.split_once("</d:Signature>").unwrap().1;
        format!("{before}{after}")
    };
    let refused = [
        ("of a stranger", stranger.assertion(&alice)),
        ("not signed", unsigned.clone()),
        ("wrapped", format!("<r>{unsigned}{good}</r>")),
        ("changed", good.replace("alice@", "bob@")),
        ("with a comment", good.replace("alice@", "alice<!-- -->@")),
        ("with a DOCTYPE", format!("<!DOCTYPE a>{good}")),
        (
            "over",
            of(About {
                until: gateway.clock.now(),
                ..alice
            }),
        ),
        (
            "of another issuer",
            of(About {
                issuer: "https://other.test",
                ..alice
            }),
        ),
        (
            "for another audience",
            of(About {
                audience: "https://other.test",
                ..alice
            }),
        ),
        (
            "of another domain",
            of(About {
                name: "alice@other.test",
                ..alice
            }),
        ),
        (
            "of no domain",
            of(About {
                name: "alice",
                ..alice
            }),
        ),
        (
            "of nobody",
            of(About {
                name: "nobody@vsphere.local",
                ..alice
            }),
        ),
        (
            "of a disabled user",
            of(About {
                name: "erin@vsphere.local",
                ..alice
            }),
        ),
        (
            "of a holder without proof",
            of(About {
                holder: Some(&stranger),
                ..alice
            }),
        ),
        ("longer than any", format!("{good}{}", " ".repeat(1 << 20))),
        ("none", "<saml2:Assertion/>".to_owned()),
    ];
    let mut raw = gateway.raw().await;
    for (what, xml) in &refused {
        let answer = create(&gateway, OLD, &sign_header(xml)).await;
        assert_eq!(answer.status, 401, "{what}");
        assert_eq!(answer.json::<Value>(), unauthenticated_old(), "{what}");
        if xml.len() < 200_000 {
            let answer = sdk_rpc(&mut raw, "create", bearer(xml), "0").await;
            assert_eq!(answer, unauthenticated_rpc(), "{what}");
        }
    }
    for header in ["SIGN", "SIGN token=\"\"", "SIGN token=\"x\"", "Bearer x"] {
        assert_eq!(create(&gateway, OLD, header).await.status, 401, "{header}");
    }
    let challenge = create(&gateway, NEW, "SIGN").await.json::<Value>()["challenge"].take();
    let expected =
        "Basic realm=\"VAPI endpoint\",SIGN service=\"VAPI endpoint\",sts=\"https://sts.test/sts\"";
    assert_eq!(challenge, expected);
    // None of this was for want of anything else.
    assert_eq!(create(&gateway, OLD, &sign_header(&good)).await.status, 200);
}

/// An agent that could assert any user is a risk: only those that the policy server names may.
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_asserts_only_what_the_policy_server_lets_it() {
    let signer = Signer::new();
    for policy in [
        String::new(),
        BELIEVED.replace("agent-1", "agent-2"),
        BELIEVED.replace("sts.test", "other.test"),
        format!(
            "{BELIEVED}\ndirectory = \"newcomers\"{}",
            harness::policy_host::WITH_NEWCOMERS
        ),
    ] {
        let (plain, gateway) = world(Deployment::Remote, &signer, &policy).await;
        let xml = signer.assertion(&About::alice(&gateway));
        let answer = create(&gateway, OLD, &sign_header(&xml)).await;
        assert_eq!(answer.status, 401, "{policy}");
        // And no assertion counts where the service does not take them.
        let without = plain.beside(OFFERED).await;
        assert_eq!(create(&without, OLD, &sign_header(&xml)).await.status, 401);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_of_a_key_shows_it_once() {
    let (signer, holder) = (Signer::new(), Signer::new());
    let (_plain, gateway) = world(Deployment::Embedded, &signer, BELIEVED).await;
    let alice = About {
        holder: Some(&holder),
        ..About::alice(&gateway)
    };
    let xml = signer.assertion(&alice);
    let header = |signer: &Signer, path: &str, made: u64| {
        let nonce = format!("{}:4711", made * 1000);
        let hash = digest(&SHA256, b"");
        let mut message = format!("{nonce}\nPOST\n{path}\n{HOST}\n80\n").into_bytes();
        message.extend_from_slice(hash.as_ref());
        message.push(b'\n');
        format!(
            "{}, signature_alg=\"RSA-SHA256\", signature=\"{}\", nonce=\"{nonce}\", bodyhash=\"{}\"",
            sign_header(&xml),
            signer.sign(&message),
            STANDARD.encode(hash)
        )
    };
    let now = gateway.clock.now().0;
    let proven = header(&holder, OLD, now);
    let created = create(&gateway, OLD, &proven).await;
    assert_eq!(created.status, 200, "{}", created.text());
    for refused in [
        proven,
        header(&holder, NEW, now),
        header(&signer, OLD, now),
        header(&holder, OLD, now - 301),
        header(&holder, OLD, now + 301),
        sign_header(&xml),
    ] {
        assert_eq!(create(&gateway, OLD, &refused).await.status, 401);
    }
    assert_eq!(
        create(&gateway, OLD, &header(&holder, OLD, now + 1))
            .await
            .status,
        200
    );

    // In a message.
    let made = gateway.clock.now();
    let canonical = format!(
        "{{\"id\":\"7\",\"jsonrpc\":\"2.0\",\"method\":\"invoke\",\"params\":{{\"ctx\":{{\"appCtx\":{{\"opId\":\"x\"}},\
         \"securityCtx\":{{\"schemeId\":\"com.vmware.vapi.std.security.saml_hok_token\",\"signatureAlgorithm\":\"RS256\",\
         \"timestamp\":{{\"created\":\"{}\",\"expires\":\"{}\"}}}}}},\"input\":{{\"STRUCTURE\":{{\"operation-input\":{{}}}}}},\
         \"operationId\":\"create\",\"serviceId\":\"com.vmware.cis.session\"}}}}",
        rfc3339(made),
        rfc3339(made.plus(MINUTE * 20))
    );
    let signed = |signer: &Signer| {
        let mut message: Value = serde_json::from_str(&canonical).unwrap();
        message["params"]["ctx"]["securityCtx"]["signature"] =
            json!({ "samlToken": xml, "value": signer.sign(canonical.as_bytes()) });
        message.to_string()
    };
    let mut raw: RawClient = gateway.raw().await;
    let created = send_rpc(&mut raw, "create", &signed(&holder), "7").await;
    assert!(created["output"]["SECRET"].is_string(), "{created}");
    for refused in [signed(&holder), signed(&signer)] {
        let answer = send_rpc(&mut raw, "create", &refused, "7").await;
        assert_eq!(answer, unauthenticated_rpc());
    }
}
