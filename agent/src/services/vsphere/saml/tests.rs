//! A document that another program signed (signxml, over libxml2's canonical form), what can be made of it, and
//! documents signed here.

use std::io::Write as _;
use std::time::Duration;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaEncoding};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::proof::{Asked, Proof};
use super::replay::Replays;
use super::token::Sign;
use super::*;

const VECTOR: &str = include_str!("vectors/signxml.xml");
const VECTOR_CERTIFICATE: &[u8] = include_bytes!("vectors/signxml.pem");
const ISSUER: &str = "https://sts.test/websso/SAML2/Metadata/vsphere.local";
const MINUTE: u64 = 60;

/// 2026-11-21T10:30:00Z: within the times of the document.
const NOW: Timestamp = Timestamp(1_795_257_000);

fn settings(certificate: &[u8]) -> Saml {
    Saml {
        issuer: ISSUER.to_owned(),
        certificates: vec![certificate.to_vec()],
        audience: None,
        clock_skew: Duration::from_secs(MINUTE),
        sts_url: None,
    }
}

fn vector_settings() -> Saml {
    settings(&CertificateDer::from_pem_slice(VECTOR_CERTIFICATE).unwrap())
}

fn verify(xml: &str, now: Timestamp) -> Result<Assertion, Refused> {
    SignedXml(&vector_settings()).verify(xml.as_bytes(), now)
}

/// The document with one thing changed, which must be there.
#[track_caller]
fn changed(from: &str, to: &str) -> String {
    assert!(VECTOR.contains(from), "{from}");
    VECTOR.replacen(from, to, 1)
}

fn between(from: &str, to: &str) -> &'static str {
    let start = VECTOR.find(from).unwrap();
    let end = VECTOR.find(to).unwrap() + to.len();
    &VECTOR[start..end]
}

#[test]
fn what_another_program_signed_is_read() {
    let assertion = verify(VECTOR, NOW).unwrap();
    assert_eq!(assertion.name_id, "Administrator@VSPHERE.LOCAL");
    assert_eq!(assertion.issuer, ISSUER);
    assert_eq!(assertion.not_on_or_after, Timestamp(NOW.0 + 30 * MINUTE));
    assert!(assertion.bearer);
    assert!(assertion.holders.is_empty());
}

/// Other spellings of the same document.
#[test]
fn what_has_the_same_canonical_form_is_the_same() {
    for same in [
        changed(
            "Version=\"2.0\" ID=\"_vector-1\"",
            "ID='_vector-1'\n   Version = \"2.0\"",
        ),
        changed(
            "<saml2:ProxyRestriction Count=\"10\"/>",
            "<saml2:ProxyRestriction Count='&#49;0' ></saml2:ProxyRestriction >",
        ),
        changed(" xmlns:unused=\"urn:unused\"", ""),
        changed("\"Größe\"", "&quot;Gr&#xf6;&#223;e&#34;"),
        VECTOR.replace('\n', "\r\n"),
        VECTOR.split_once("?>").unwrap().1.trim().to_owned(),
    ] {
        assert!(verify(&same, NOW).is_ok(), "{same:.300}");
    }
}

#[test]
fn times_are_kept_up_to_the_clocks_skew() {
    let begin = NOW.0 - 30 * MINUTE;
    let end = NOW.0 + 30 * MINUTE;
    for (now, counts) in [
        (begin - MINUTE - 1, false),
        (begin - MINUTE, true),
        (end, true),
        (end + MINUTE - 1, true),
        (end + MINUTE, false),
    ] {
        assert_eq!(verify(VECTOR, Timestamp(now)).is_ok(), counts, "{now}");
    }
}

/// Each of them is refused. Most by the digest; those that no digest would tell by what stands beside them.
#[test]
fn whatever_is_changed_is_refused() {
    let signature = between("<ds:Signature ", "</ds:Signature>");
    let key_info = between("<ds:KeyInfo>", "</ds:KeyInfo>");
    let assertion = VECTOR.split_once("?>\n").unwrap().1;
    let forged = assertion
        .replace(signature, "")
        .replace("Administrator", "root")
        .replace("_vector-1", "_forged");
    let wrap = |inside: &str| format!("<r xmlns=\"urn:r\">{inside}</r>");
    let hostile = [
        ("another name", changed("Administrator@", "root@")),
        (
            "a comment in the name",
            changed("Administrator@VSPHERE", "Administrator@<!-- -->VSPHERE"),
        ),
        ("a comment after the end", format!("{VECTOR}<!-- -->")),
        (
            "a processing instruction",
            changed("Administrator@", "Administrator@<?x y?>"),
        ),
        (
            "a section of CDATA",
            changed(
                "Administrator@VSPHERE.LOCAL",
                "<![CDATA[Administrator@VSPHERE.LOCAL]]>",
            ),
        ),
        (
            "an element in the name",
            changed("Administrator@", "<b/>Administrator@"),
        ),
        ("no signature", VECTOR.replace(signature, "")),
        (
            "a signature without content",
            VECTOR.replace(
                signature,
                "<ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"/>",
            ),
        ),
        (
            "two signatures",
            VECTOR.replace(signature, &format!("{signature}{signature}")),
        ),
        (
            "a DOCTYPE",
            changed("?>\n", "?>\n<!DOCTYPE saml2:Assertion>"),
        ),
        (
            "an entity",
            changed("?>\n", "?>\n<!DOCTYPE a [<!ENTITY e \"x\">]>"),
        ),
        (
            "an external entity",
            changed("?>\n", "?>\n<!DOCTYPE a SYSTEM \"file:///etc/passwd\">"),
        ),
        ("something around", wrap(assertion)),
        // Signature wrapping: what is signed is somewhere, and something else is in its place.
        ("a forged one before", wrap(&format!("{forged}{assertion}"))),
        ("a forged one after", wrap(&format!("{assertion}{forged}"))),
        (
            "a forged one around",
            forged.replace("</saml2:Issuer>", &format!("</saml2:Issuer>{assertion}")),
        ),
        (
            "the signed one in the signature of a forged one",
            forged.replace(
                "</saml2:Issuer>",
                &format!(
                    "</saml2:Issuer>{}",
                    signature.replace(
                        "</ds:Signature>",
                        &format!(
                            "<ds:Object>{}</ds:Object></ds:Signature>",
                            assertion.replace(signature, "")
                        )
                    )
                ),
            ),
        ),
        (
            "the signature of the signed one in a forged one",
            forged.replace("</saml2:Issuer>", &format!("</saml2:Issuer>{signature}")),
        ),
        (
            "the same with its ID",
            forged
                .replace("_forged", "_vector-1")
                .replace("</saml2:Issuer>", &format!("</saml2:Issuer>{signature}")),
        ),
        (
            "a forged one inside",
            changed(
                "<saml2:AttributeStatement>",
                &format!("<saml2:Advice>{forged}</saml2:Advice><saml2:AttributeStatement>"),
            ),
        ),
        (
            "a second subject",
            changed(
                "<saml2:Subject>",
                "<saml2:Subject><saml2:NameID>root</saml2:NameID></saml2:Subject><saml2:Subject>",
            ),
        ),
        (
            "a second name",
            changed(
                "<saml2:NameID",
                "<saml2:NameID>root</saml2:NameID><saml2:NameID",
            ),
        ),
        (
            "something else with the ID",
            changed("<ds:KeyInfo>", "<ds:KeyInfo Id=\"_vector-1\">"),
        ),
        ("a moved signature", {
            let without = VECTOR.replace(signature, "");
            without.replace("<saml2:Subject>", &format!("<saml2:Subject>{signature}"))
        }),
        (
            "a reference to the whole",
            changed("URI=\"#_vector-1\"", "URI=\"\""),
        ),
        (
            "a reference to a file",
            changed("URI=\"#_vector-1\"", "URI=\"file:///etc/passwd\""),
        ),
        (
            "a reference by XPointer",
            changed("#_vector-1\"", "#xpointer(id('_vector-1'))\""),
        ),
        (
            "no reference",
            VECTOR.replace(between("<ds:Reference ", "</ds:Reference>"), ""),
        ),
        (
            "XSLT",
            changed(
                "<ds:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/>",
                "<ds:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xslt-19991116\"><xsl:stylesheet version=\"1.0\" xmlns:xsl=\"http://www.w3.org/1999/XSL/Transform\"/></ds:Transform>",
            ),
        ),
        (
            "XPath",
            changed(
                "<ds:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/>",
                "<ds:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xpath-19991116\"><ds:XPath>1</ds:XPath></ds:Transform>",
            ),
        ),
        (
            "a third transform",
            changed(
                "</ds:Transforms>",
                "<ds:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/></ds:Transforms>",
            ),
        ),
        (
            "SHA-1 for the signature",
            changed(
                "2001/04/xmldsig-more#rsa-sha256",
                "2000/09/xmldsig#rsa-sha1",
            ),
        ),
        (
            "SHA-1 for the digest",
            changed(
                "http://www.w3.org/2001/04/xmlenc#sha256",
                "http://www.w3.org/2000/09/xmldsig#sha1",
            ),
        ),
        (
            "HMAC",
            changed("xmldsig-more#rsa-sha256", "xmldsig-more#hmac-sha256"),
        ),
        (
            "form with comments",
            changed(
                "xml-exc-c14n#\"/><ds:SignatureMethod",
                "xml-exc-c14n#WithComments\"/><ds:SignatureMethod",
            ),
        ),
        (
            "an object",
            changed("</ds:KeyInfo>", "</ds:KeyInfo><ds:Object/>"),
        ),
        (
            "another namespace for the name",
            changed("<saml2:NameID ", "<saml2:NameID xmlns:saml2=\"urn:other\" "),
        ),
        ("nothing", String::new()),
        ("no XML", "x".to_owned()),
        ("depth", "<a>".repeat(100_000)),
        ("length", format!("{VECTOR}{}", " ".repeat(MAX_ASSERTION))),
    ];
    for (what, xml) in &hostile {
        assert_ne!(xml, VECTOR, "{what} changes nothing");
        assert!(verify(xml, NOW).is_err(), "{what}");
    }
    // What is no part of the signature is not looked at, so it need not be there.
    assert!(verify(&VECTOR.replace(key_info, ""), NOW).is_ok());
}

/// Documents that anybody may send, made to take long before any key is looked at. They took half a minute and half a second.
#[test]
fn documents_that_take_long_are_refused_soon() {
    let prefixes: Vec<String> = (0..16_000).map(|at| format!("p{at}")).collect();
    let attributes: String = (0..9_000).map(|at| format!(" a{at}=''")).collect();
    let dsig = "http://www.w3.org/2000/09/xmldsig#";
    let exclusive = "http://www.w3.org/2001/10/xml-exc-c14n#";
    let info = |prefixes: &str, inside: &str| {
        format!(
            "<s:Assertion xmlns:s='urn:oasis:names:tc:SAML:2.0:assertion' ID='x'><Signature xmlns='{dsig}'><SignedInfo>\
             <CanonicalizationMethod Algorithm='{exclusive}'><e:InclusiveNamespaces xmlns:e='{exclusive}' PrefixList='{prefixes}'/>\
             </CanonicalizationMethod><SignatureMethod/><Reference URI='#x'>{inside}</Reference></SignedInfo>\
             <SignatureValue>AA</SignatureValue></Signature></s:Assertion>"
        )
    };
    let prefixes = prefixes.join(" ");
    let room = (MAX_ASSERTION - info(&prefixes, "").len()) / 4;
    for (xml, why) in [
        (
            info(&prefixes, &"<a/>".repeat(room)),
            "the assertion has too many elements or attributes",
        ),
        (
            info(&prefixes, &"<a/>".repeat(3_900)),
            "the signature is not of the profile",
        ),
        (
            info(&prefixes, ""),
            "the canonical form is not of the profile",
        ),
        (
            info("", &format!("<a{attributes}/>")),
            "the assertion has too many elements or attributes",
        ),
    ] {
        let begun = std::time::Instant::now();
        assert_eq!(verify(&xml, NOW), Err(Refused(why)));
        assert!(begun.elapsed() < Duration::from_secs(2), "{why}");
    }
}

/// These change nothing that is signed: the canonical form has no comments, and knows of nothing around.
#[test]
fn what_no_digest_tells_is_seen() {
    let assertion = VECTOR.split_once("?>\n").unwrap().1;
    let comments = "the assertion has comments or the like";
    for (xml, why) in [
        (
            changed("Administrator@VSPHERE", "Administrator@<!-- -->VSPHERE"),
            comments,
        ),
        (changed("RE.LOCAL</", "<![CDATA[RE.LOCAL]]></"), comments),
        (format!("{VECTOR}<?x y?>"), comments),
        (
            format!("<r>{assertion}</r>"),
            "the document is no assertion",
        ),
        (
            changed("<ds:KeyInfo>", "<ds:KeyInfo Id=\"_vector-1\">"),
            "something else has the ID of the assertion",
        ),
        (
            changed("</ds:KeyInfo>", "</ds:KeyInfo><ds:Object/>"),
            "the signature is not of the profile",
        ),
        (
            changed("?>\n", "?>\n<!DOCTYPE a>"),
            "the assertion is no XML without DOCTYPE",
        ),
    ] {
        assert_eq!(verify(&xml, NOW), Err(Refused(why)));
    }
}

#[test]
fn settings_decide_whose_assertions_count() {
    let mut other = vector_settings();
    other.issuer = "https://other.test".to_owned();
    assert!(SignedXml(&other).verify(VECTOR.as_bytes(), NOW).is_err());
    let mut restricted = vector_settings();
    restricted.audience = Some("https://gateway.test".to_owned());
    let refused = SignedXml(&restricted).verify(VECTOR.as_bytes(), NOW);
    assert_eq!(refused, Err(Refused("the assertion is for no audience")));
    // The key that the message brings is of no account.
    let stranger = Signer::new();
    let own = settings(&stranger.certificate);
    let refused = SignedXml(&own).verify(VECTOR.as_bytes(), NOW);
    assert_eq!(
        refused,
        Err(Refused("the signature is not by a key of the issuer"))
    );
}

/// Signs what is in canonical form already.
struct Signer {
    key: KeyPair,
    certificate: Vec<u8>,
}

impl Signer {
    fn new() -> Self {
        let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = key.as_der().unwrap();
        let pair = rcgen::KeyPair::try_from(der.as_ref()).unwrap();
        let params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        let certificate = params.self_signed(&pair).unwrap().der().to_vec();
        Self { key, certificate }
    }

    fn sign(&self, message: &[u8]) -> String {
        let mut signature = vec![0; self.key.public_modulus_len()];
        let with: &'static dyn RsaEncoding = &RSA_PKCS1_SHA256;
        self.key
            .sign(with, &SystemRandom::new(), message, &mut signature)
            .unwrap();
        STANDARD.encode(signature)
    }

    /// An assertion with what differs between tests.
    fn assertion(&self, confirmation: &str, conditions: &str) -> String {
        let open = "<a:Assertion xmlns:a=\"urn:oasis:names:tc:SAML:2.0:assertion\" ID=\"_1\" Version=\"2.0\">";
        let issuer = format!("<a:Issuer>{ISSUER}</a:Issuer>");
        let rest = format!(
            "<a:Subject><a:NameID>alice</a:NameID>{confirmation}</a:Subject>\
             <a:Conditions NotOnOrAfter=\"2026-11-21T11:00:00Z\">{conditions}</a:Conditions>\
             <a:AuthnStatement SessionNotOnOrAfter=\"2026-11-21T10:45:00Z\"></a:AuthnStatement></a:Assertion>"
        );
        let digest = aws_lc_rs::digest::digest(
            &aws_lc_rs::digest::SHA256,
            format!("{open}{issuer}{rest}").as_bytes(),
        );
        let digest = STANDARD.encode(digest);
        let info = format!(
            "<d:SignedInfo xmlns:d=\"http://www.w3.org/2000/09/xmldsig#\">\
             <d:CanonicalizationMethod Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"></d:CanonicalizationMethod>\
             <d:SignatureMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256\"></d:SignatureMethod>\
             <d:Reference URI=\"#_1\"><d:Transforms>\
             <d:Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"></d:Transform>\
             <d:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"></d:Transform></d:Transforms>\
             <d:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"></d:DigestMethod>\
             <d:DigestValue>{digest}</d:DigestValue></d:Reference></d:SignedInfo>"
        );
        let value = self.sign(info.as_bytes());
        format!(
            "{open}{issuer}<d:Signature xmlns:d=\"http://www.w3.org/2000/09/xmldsig#\">{info}\
             <d:SignatureValue>{value}</d:SignatureValue></d:Signature>{rest}"
        )
    }
}

const BEARER: &str = "<a:SubjectConfirmation Method=\"urn:oasis:names:tc:SAML:2.0:cm:bearer\"></a:SubjectConfirmation>";

fn confirmation(attributes: &str, method: &str, inside: &str) -> String {
    format!(
        "<a:SubjectConfirmation Method=\"urn:oasis:names:tc:SAML:2.0:cm:{method}\">\
         <a:SubjectConfirmationData{attributes}>{inside}</a:SubjectConfirmationData></a:SubjectConfirmation>"
    )
}

#[test]
fn conditions_and_confirmations_are_kept() {
    let signer = Signer::new();
    let mut settings = settings(&signer.certificate);
    let audience = "https://gateway.test";
    let only = |audience: &str| {
        format!(
            "<a:AudienceRestriction><a:Audience>{audience}</a:Audience></a:AudienceRestriction>"
        )
    };
    let read = |settings: &Saml, confirmation: &str, conditions: &str| {
        let xml = signer.assertion(confirmation, conditions);
        SignedXml(settings).verify(xml.as_bytes(), NOW)
    };
    let plain = read(&settings, BEARER, "").unwrap();
    // The session of the issuer ends before the assertion.
    assert_eq!(plain.not_on_or_after, Timestamp(NOW.0 + 15 * MINUTE));
    assert!(read(&settings, BEARER, &only(audience)).is_err());
    assert!(read(&settings, BEARER, "<a:OneTimeUse></a:OneTimeUse>").is_err());
    settings.audience = Some(audience.to_owned());
    assert!(read(&settings, BEARER, "").is_err());
    assert!(read(&settings, BEARER, &only("https://other.test")).is_err());
    assert!(read(&settings, BEARER, &only(audience)).is_ok());
    let both = format!("{}{}", only(audience), only("https://other.test"));
    assert!(read(&settings, BEARER, &both).is_err());

    for (confirmation, bearer) in [
        (String::new(), false),
        (
            confirmation(" NotOnOrAfter=\"2026-11-21T10:31:00Z\"", "bearer", ""),
            true,
        ),
        (
            confirmation(" NotOnOrAfter=\"2026-11-21T10:20:00Z\"", "bearer", ""),
            false,
        ),
        (
            confirmation(" Recipient=\"https://gateway.test\"", "bearer", ""),
            false,
        ),
        (confirmation(" InResponseTo=\"_2\"", "bearer", ""), false),
        (confirmation("", "sender-vouches", ""), false),
        (confirmation("", "holder-of-key", ""), false),
    ] {
        let assertion = read(&settings, &confirmation, &only(audience)).unwrap();
        assert_eq!(assertion.bearer, bearer, "{confirmation}");
        assert!(assertion.holders.is_empty());
    }
}

fn holding(signer: &Signer, holder: &Signer) -> Assertion {
    let certificate = STANDARD.encode(&holder.certificate);
    let key = format!(
        "<d:KeyInfo xmlns:d=\"http://www.w3.org/2000/09/xmldsig#\"><d:X509Data>\
         <d:X509Certificate>{certificate}</d:X509Certificate></d:X509Data></d:KeyInfo>"
    );
    let xml = signer.assertion(&confirmation("", "holder-of-key", &key), "");
    let settings = settings(&signer.certificate);
    SignedXml(&settings).verify(xml.as_bytes(), NOW).unwrap()
}

#[test]
fn a_holder_shows_the_key_by_signing_the_request() {
    let (issuer, holder) = (Signer::new(), Signer::new());
    let assertion = holding(&issuer, &holder);
    assert!(!assertion.bearer);
    let asked = Asked {
        method: "POST",
        path: "/api/session",
        host: "app.test",
        port: None,
        body: b"",
    };
    let nonce = format!("{}:4711", NOW.0 * 1000 - 1234);
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, b"");
    let message = |port: &str| {
        let mut message = format!("{nonce}\nPOST\n/api/session\napp.test\n{port}\n").into_bytes();
        message.extend_from_slice(hash.as_ref());
        message.push(b'\n');
        message
    };
    let bodyhash = STANDARD.encode(hash);
    let check = |signer: &Signer, port: &str, asked: &Asked<'_>, nonce: &str, now| {
        let signature = signer.sign(&message(port));
        let proof = Proof {
            algorithm: "RSA-SHA256",
            signature: &signature,
            nonce,
            bodyhash: &bodyhash,
        };
        proof.check(asked, &assertion.holders, now)
    };
    // Clients without a port in their address sign this, even over TLS.
    assert!(check(&holder, "80", &asked, &nonce, NOW).is_ok());
    assert!(check(&holder, "443", &asked, &nonce, NOW).is_ok());
    assert!(check(&holder, "8443", &asked, &nonce, NOW).is_err());
    assert!(check(&issuer, "80", &asked, &nonce, NOW).is_err());
    let elsewhere = [
        Asked {
            port: Some(8443),
            ..asked
        },
        Asked {
            method: "GET",
            ..asked
        },
        Asked {
            path: "/rest/com/vmware/cis/session",
            ..asked
        },
        Asked {
            host: "other.test",
            ..asked
        },
        Asked {
            body: b"x",
            ..asked
        },
    ];
    for other in elsewhere {
        assert!(
            check(&holder, "80", &other, &nonce, NOW).is_err(),
            "{other:?}"
        );
    }
    for other in ["", "4711", "x:1", "99999999999999999999:1"] {
        assert!(check(&holder, "80", &asked, other, NOW).is_err(), "{other}");
    }
    for (now, counts) in [(298, true), (302, false)] {
        for now in [NOW.0 + now, NOW.0 - now] {
            let checked = check(&holder, "80", &asked, &nonce, Timestamp(now));
            assert_eq!(checked.is_ok(), counts, "{now}");
        }
    }
    let replays = Replays::default();
    let signed = check(&holder, "80", &asked, &nonce, NOW).unwrap();
    assert!(replays.is_first(&signed, NOW));
    assert!(!replays.is_first(&signed, NOW));
}

#[test]
fn headers_are_read_or_refused_as_a_whole() {
    let packed = |content: &[u8]| {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packer.write_all(content).unwrap();
        STANDARD.encode(packer.finish().unwrap())
    };
    let token = packed(b"<x/>");
    let read = |header: &str| Sign::parse(header.as_bytes())?.assertion();
    assert_eq!(read(&format!("SIGN token=\"{token}\"")).unwrap(), b"<x/>");
    assert_eq!(
        read(&format!("sign  token=\"{token}\" , other=\"x\"")).unwrap(),
        b"<x/>"
    );
    let proven = format!(
        "SIGN token=\"{token}\", signature_alg=\"RSA-SHA256\", signature=\"c2ln\", nonce=\"1:2\", bodyhash=\"aGFzaA==\""
    );
    assert!(Sign::parse(proven.as_bytes()).unwrap().proof.is_some());
    for header in [
        "SIGN",
        "SIGN ",
        "SIGN token",
        "SIGN token=x",
        "SIGN token=\"x",
        "SIGN token=\"!!\"",
        "SIGN token=\"AAAA\"",
        "Basic token=\"AAAA\"",
        &format!("SIGN token=\"{token}\", token=\"{token}\""),
        &proven.replace("nonce=\"1:2\", ", ""),
        &format!("SIGN token=\"{}\"", "A".repeat(70_000)),
    ] {
        assert!(read(header).is_err(), "{header:.60}");
    }
    // Forty megabytes in forty kilobytes: unpacked no further than to be refused.
    let bomb = packed(&vec![b' '; 40 * 1024 * 1024]);
    let unpacked = read(&format!("SIGN token=\"{bomb}\"")).unwrap();
    assert_eq!(unpacked.len(), MAX_ASSERTION + 1);
    let settings = vector_settings();
    let refused = SignedXml(&settings).verify(&unpacked, NOW);
    assert_eq!(refused, Err(Refused("the assertion is too long")));
}

#[test]
fn a_holder_shows_the_key_by_signing_the_message() {
    let (issuer, holder) = (Signer::new(), Signer::new());
    let assertion = holding(&issuer, &holder);
    // Names in order, no blanks, nothing but ASCII.
    let canonical = r#"{"id":"0","jsonrpc":"2.0","method":"invoke","params":{"ctx":{"appCtx":{"opId":"\u00e4\ud83d\ude00\"\u0001"},"securityCtx":{"schemeId":"com.vmware.vapi.std.security.saml_hok_token","signatureAlgorithm":"RS256","timestamp":{"created":"2026-11-21T10:29:00.000Z","expires":"2026-11-21T10:49:00.000Z"}}},"input":[1,true,null],"operationId":"create","serviceId":"com.vmware.cis.session"}}"#;
    let body = |signature: &str| {
        canonical
            .replace("\\u00e4", "ä")
            .replace("\"invoke\",", "\"invoke\" ,\n ")
            .replace(
                "\"signatureAlgorithm\"",
                &format!("\"signature\":{{\"samlToken\":\"x\",\"value\":\"{signature}\"}},\"signatureAlgorithm\""),
            )
    };
    let check = |signer: &Signer, body: &dyn Fn(&str) -> String, now: u64| {
        let body = body(&signer.sign(canonical.as_bytes()));
        let value: serde_json::Value = serde_json::from_str(&body).unwrap();
        let security = value.pointer("/params/ctx/securityCtx").unwrap().clone();
        let security: Security = serde_json::from_value(security).unwrap();
        message::check(
            &security,
            body.as_bytes(),
            &assertion.holders,
            Timestamp(now),
        )
    };
    assert_eq!(check(&holder, &body, NOW.0).unwrap(), canonical.as_bytes());
    assert!(check(&issuer, &body, NOW.0).is_err());
    let tampered = |signature: &str| body(signature).replace("create\"", "delete\"");
    assert!(check(&holder, &tampered, NOW.0).is_err());
    let fraction = |signature: &str| body(signature).replace("[1,", "[1.5,");
    assert!(check(&holder, &fraction, NOW.0).is_err());
    assert!(
        check(&holder, &body, NOW.0 + 6 * MINUTE).is_err(),
        "too old"
    );
    assert!(
        check(&holder, &body, NOW.0 - 7 * MINUTE).is_err(),
        "too new"
    );
}
