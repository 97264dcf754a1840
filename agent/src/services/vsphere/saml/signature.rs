//! The signature of an assertion (XML-DSig), in the one profile that SAML tokens have (SAML core, section 5.4): enveloped
//! in what it covers, exclusive canonical form, one reference to the assertion's own ID.
//!
//! Parser and canonical form are libraries'; the profile is here, so that whatever else XML-DSig can do (other
//! transforms, references to files and parts, keys that the message itself brings) is not there to be used.

use aws_lc_rs::digest::{self, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bergshamra_c14n::{C14nMode, canonicalize_doc};
use bergshamra_xml::nodeset::NodeSet;
use uppsala::{Document, NodeId};

use super::Refused;
use super::assertion::{attribute, elements, is, text};
use super::key::{Algorithm, PublicKey};

/// The namespace of XML-DSig.
pub(super) const DS: &str = "http://www.w3.org/2000/09/xmldsig#";
const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";

/// The most nodes in what is signed first, blanks included: the profile has about thirty.
const MAX_INFO: usize = 64;
/// The most prefixes that are added to a canonical form, which takes as long as they are many, for each element: issuers
/// name two or three.
const MAX_PREFIXES: usize = 16;

/// Checks that `signature`, a child of `signed`, covers `signed` and is by one of the keys.
pub(super) fn check(
    doc: &Document<'_>,
    signature: NodeId,
    signed: NodeId,
    id: &str,
    keys: &[PublicKey],
) -> Result<(), Refused> {
    let parts = elements(doc, signature)?;
    // Whatever key the message brings is not looked at.
    let (info, value) = match *parts.as_slice() {
        [info, value] => (info, value),
        [info, value, key] if is(doc, key, DS, "KeyInfo") => (info, value),
        _ => return Err(Refused("the signature is not of the profile")),
    };
    if !is(doc, info, DS, "SignedInfo") || !is(doc, value, DS, "SignatureValue") {
        return Err(Refused("the signature is not of the profile"));
    }
    let parts = elements(doc, info)?;
    let &[canonical, method, reference] = parts.as_slice() else {
        return Err(Refused("the signature has not exactly one reference"));
    };
    named(doc, canonical, "CanonicalizationMethod")?;
    named(doc, method, "SignatureMethod")?;
    named(doc, reference, "Reference")?;
    // A stranger may have written this: nothing is put into canonical form that is not of the shape.
    if !elements(doc, method)?.is_empty() || doc.descendants(info).len() > MAX_INFO {
        return Err(Refused("the signature is not of the profile"));
    }
    let prefixes = exclusive(doc, canonical)?;
    let reference = Reference::read(doc, reference, id)?;
    let signed_info = NodeSet::tree_without_comments(info, doc);
    let signed_info = canonical_form(doc, &signed_info, &prefixes)?;
    let algorithm = algorithm(attribute(doc, method, "Algorithm"))?;
    let value = base64(&text(doc, value)?)?;
    let mut keys = keys.iter();
    if !keys.any(|key| key.verifies(algorithm, &signed_info, &value)) {
        return Err(Refused("the signature is not by a key of the issuer"));
    }
    reference.check(doc, signature, signed)
}

/// What a signature says of what it covers.
struct Reference<'d> {
    prefixes: Vec<&'d str>,
    method: &'static digest::Algorithm,
    digest: Vec<u8>,
}

impl<'d> Reference<'d> {
    fn read(doc: &'d Document<'_>, reference: NodeId, id: &str) -> Result<Self, Refused> {
        if attribute(doc, reference, "URI") != Some(format!("#{id}").as_str()) {
            return Err(Refused("the signature is about something else"));
        }
        let parts = elements(doc, reference)?;
        let &[transforms, method, value] = parts.as_slice() else {
            return Err(Refused("the reference is not of the profile"));
        };
        named(doc, transforms, "Transforms")?;
        named(doc, method, "DigestMethod")?;
        named(doc, value, "DigestValue")?;
        let parts = elements(doc, transforms)?;
        let &[enveloped, canonical] = parts.as_slice() else {
            return Err(Refused("the transforms are not of the profile"));
        };
        named(doc, enveloped, "Transform")?;
        named(doc, canonical, "Transform")?;
        if attribute(doc, enveloped, "Algorithm") != Some(ENVELOPED)
            || !elements(doc, enveloped)?.is_empty()
        {
            return Err(Refused("the transforms are not of the profile"));
        }
        let prefixes = exclusive(doc, canonical)?;
        if !elements(doc, method)?.is_empty() {
            return Err(Refused("the reference is not of the profile"));
        }
        let method = match attribute(doc, method, "Algorithm") {
            Some("http://www.w3.org/2001/04/xmlenc#sha256") => &digest::SHA256,
            Some("http://www.w3.org/2001/04/xmldsig-more#sha384") => &digest::SHA384,
            Some("http://www.w3.org/2001/04/xmlenc#sha512") => &digest::SHA512,
            _ => return Err(Refused("the digest is of an algorithm that does not count")),
        };
        let digest = base64(&text(doc, value)?)?;
        Ok(Self {
            prefixes,
            method,
            digest,
        })
    }

    fn check(&self, doc: &Document<'_>, signature: NodeId, signed: NodeId) -> Result<(), Refused> {
        let mut covered = NodeSet::tree_without_comments(signed, doc);
        covered.remove_id(signature);
        for node in doc.descendants(signature) {
            covered.remove_id(node);
        }
        let covered = canonical_form(doc, &covered, &self.prefixes)?;
        if digest(self.method, &covered).as_ref() == self.digest {
            Ok(())
        } else {
            Err(Refused("the assertion is not what was signed"))
        }
    }
}

fn named(doc: &Document<'_>, node: NodeId, name: &str) -> Result<(), Refused> {
    if is(doc, node, DS, name) {
        Ok(())
    } else {
        Err(Refused("the signature is not of the profile"))
    }
}

fn algorithm(uri: Option<&str>) -> Result<Algorithm, Refused> {
    match uri.and_then(|uri| uri.strip_prefix("http://www.w3.org/2001/04/xmldsig-more#")) {
        Some("rsa-sha256") => Ok(Algorithm::RsaSha256),
        Some("rsa-sha384") => Ok(Algorithm::RsaSha384),
        Some("rsa-sha512") => Ok(Algorithm::RsaSha512),
        Some("ecdsa-sha256") => Ok(Algorithm::EcdsaSha256),
        Some("ecdsa-sha384") => Ok(Algorithm::EcdsaSha384),
        _ => Err(Refused(
            "the signature is of an algorithm that does not count",
        )),
    }
}

/// The prefixes that an element adds to the exclusive canonical form, which must be the one it asks for.
fn exclusive<'d>(doc: &'d Document<'_>, node: NodeId) -> Result<Vec<&'d str>, Refused> {
    if attribute(doc, node, "Algorithm") != Some(EXCLUSIVE) {
        return Err(Refused("the canonical form is not of the profile"));
    }
    match elements(doc, node)?.as_slice() {
        [] => Ok(Vec::new()),
        &[prefixes] if is(doc, prefixes, EXCLUSIVE, "InclusiveNamespaces") => {
            let list = attribute(doc, prefixes, "PrefixList").unwrap_or_default();
            let list: Vec<_> = list
                .split_ascii_whitespace()
                .take(MAX_PREFIXES + 1)
                .collect();
            if list.len() > MAX_PREFIXES || !elements(doc, prefixes)?.is_empty() {
                return Err(Refused("the canonical form is not of the profile"));
            }
            Ok(list)
        }
        _ => Err(Refused("the canonical form is not of the profile")),
    }
}

fn canonical_form(
    doc: &Document<'_>,
    nodes: &NodeSet,
    prefixes: &[&str],
) -> Result<Vec<u8>, Refused> {
    canonicalize_doc(doc, C14nMode::Exclusive, Some(nodes), prefixes)
        .map_err(|_| Refused("what is signed has no canonical form"))
}

/// Base64 with line breaks in it.
pub(super) fn base64(text: &str) -> Result<Vec<u8>, Refused> {
    let text: String = text.split_ascii_whitespace().collect();
    STANDARD
        .decode(text)
        .map_err(|_| Refused("something is not Base64"))
}
