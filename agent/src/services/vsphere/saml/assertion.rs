//! Reads an assertion (SAML core 2.0, sections 2.3 to 2.7), after its signature.
//!
//! The document is the assertion: nothing is around it, and nothing in it is not signed but the signature. So no node
//! that is read here can be another than the one that was verified.

use policy_protocol::Timestamp;
use uppsala::{Document, NodeId, NodeKind, Parser};

use super::key::PublicKey;
use super::signature::{self, DS};
use super::{Assertion, AssertionVerifier, MAX_ASSERTION, Refused};
use crate::config::services::Saml;

const SAML: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
const BEARER: &str = "urn:oasis:names:tc:SAML:2.0:cm:bearer";
const HOLDER: &str = "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key";

/// The deepest nesting: tokens have about eight levels.
const MAX_DEPTH: u32 = 32;
/// The most opening and closing tags, and the most attributes: those of some hundred groups. Parsers and the canonical form
/// take the square of them.
const MAX_TAGS: usize = 4000;
const MAX_ATTRIBUTES: usize = 2000;
/// The longest name of a user.
const MAX_NAME: usize = 256;

/// The verifier: XML-DSig by the keys in the settings.
#[derive(Debug)]
pub(super) struct SignedXml<'s>(pub(super) &'s Saml);

impl AssertionVerifier for SignedXml<'_> {
    fn verify(&self, xml: &[u8], now: Timestamp) -> Result<Assertion, Refused> {
        if xml.len() > MAX_ASSERTION {
            return Err(Refused("the assertion is too long"));
        }
        // Both stand for more than they count: an angle bracket may not be in a text, an equals sign may.
        let count = |sign| xml.iter().filter(|byte| **byte == sign).count();
        if count(b'<') > MAX_TAGS || count(b'=') > MAX_ATTRIBUTES {
            return Err(Refused("the assertion has too many elements or attributes"));
        }
        let xml = std::str::from_utf8(xml).map_err(|_| Refused("the assertion is not UTF-8"))?;
        let parser = Parser::new()
            .with_forbid_dtd(true)
            .with_forbid_entities(true)
            .with_max_depth(MAX_DEPTH);
        let doc = parser
            .parse(xml)
            .map_err(|_| Refused("the assertion is no XML without DOCTYPE"))?;
        let (assertion, signature) = find(&doc)?;
        let id = attribute(&doc, assertion, "ID").unwrap_or_default();
        check_ids(&doc, assertion, id)?;
        let certificates = self.0.certificates.iter();
        let keys: Vec<_> = certificates
            .filter_map(|der| PublicKey::of_certificate(der))
            .collect();
        signature::check(&doc, signature, assertion, id, &keys)?;
        self.read(&doc, assertion, now)
    }
}

impl SignedXml<'_> {
    /// Only what is signed is looked at from here on.
    fn read(
        &self,
        doc: &Document<'_>,
        assertion: NodeId,
        now: Timestamp,
    ) -> Result<Assertion, Refused> {
        if attribute(doc, assertion, "Version") != Some("2.0") {
            return Err(Refused("the assertion is of another version"));
        }
        let issuer = text(doc, only(doc, assertion, "Issuer")?)?;
        if issuer != self.0.issuer {
            return Err(Refused("the assertion is of another issuer"));
        }
        let conditions = only(doc, assertion, "Conditions")?;
        let end = self.check_times(doc, conditions, now)?;
        let mut until = end.ok_or(Refused("the assertion has no end"))?;
        self.check_conditions(doc, conditions)?;
        let subject = only(doc, assertion, "Subject")?;
        let name_id = text(doc, only(doc, subject, "NameID")?)?;
        let name_id = name_id.trim();
        if name_id.is_empty() || name_id.len() > MAX_NAME || name_id.contains(char::is_control) {
            return Err(Refused("the assertion is about no name"));
        }
        let mut bearer = false;
        let mut holders = Vec::new();
        for confirmation in all(doc, subject, "SubjectConfirmation") {
            if self.confirms(doc, confirmation, now)? {
                match attribute(doc, confirmation, "Method") {
                    Some(BEARER) => bearer = true,
                    Some(HOLDER) => holders.extend(keys_of(doc, confirmation)?),
                    _ => {}
                }
            }
        }
        for statement in all(doc, assertion, "AuthnStatement") {
            let end = time(doc, statement, "SessionNotOnOrAfter")?;
            until = end.map_or(until, |end| until.min(end));
        }
        Ok(Assertion {
            name_id: name_id.to_owned(),
            issuer,
            not_on_or_after: until,
            bearer,
            holders,
        })
    }

    /// The end in `NotOnOrAfter`, if there is one and now is before it and not before `NotBefore`.
    fn check_times(
        &self,
        doc: &Document<'_>,
        node: NodeId,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, Refused> {
        let skew = self.0.clock_skew;
        let begin = time(doc, node, "NotBefore")?;
        let end = time(doc, node, "NotOnOrAfter")?;
        if begin.is_some_and(|begin| begin > now.plus(skew)) {
            return Err(Refused("the assertion is not yet in force"));
        }
        if end.is_some_and(|end| end.plus(skew) <= now) {
            return Err(Refused("the assertion is over"));
        }
        Ok(end)
    }

    /// A condition that is not understood is one that does not hold.
    fn check_conditions(&self, doc: &Document<'_>, conditions: NodeId) -> Result<(), Refused> {
        let mut restricted = false;
        for condition in elements(doc, conditions)? {
            if is(doc, condition, SAML, "AudienceRestriction") {
                let wanted = self.0.audience.as_deref();
                let mut audiences = all(doc, condition, "Audience");
                let is_ours = |one| wanted.is_some() && text(doc, one).ok().as_deref() == wanted;
                if !audiences.any(is_ours) {
                    return Err(Refused("the assertion is for another audience"));
                }
                restricted = true;
            } else if !is(doc, condition, SAML, "ProxyRestriction") && !is_renewal(doc, condition) {
                return Err(Refused(
                    "the assertion has a condition that is not understood",
                ));
            }
        }
        if self.0.audience.is_some() && !restricted {
            return Err(Refused("the assertion is for no audience"));
        }
        Ok(())
    }

    /// Whether a confirmation may be used here. One that is bound to a place, an address or a request belongs to another
    /// exchange: a sign-on in a browser.
    fn confirms(
        &self,
        doc: &Document<'_>,
        confirmation: NodeId,
        now: Timestamp,
    ) -> Result<bool, Refused> {
        let mut data = all(doc, confirmation, "SubjectConfirmationData");
        let Some(node) = data.next() else {
            return Ok(true);
        };
        if data.next().is_some() {
            return Ok(false);
        }
        let bound = ["Recipient", "Address", "InResponseTo"];
        let is_bound = bound
            .iter()
            .any(|name| attribute(doc, node, name).is_some());
        Ok(!is_bound && self.check_times(doc, node, now).is_ok())
    }
}

/// The assertion, which is the whole document, and its signature, which is the only one.
fn find(doc: &Document<'_>) -> Result<(NodeId, NodeId), Refused> {
    let assertion = doc.document_element().ok_or(Refused("there is nothing"))?;
    if !is(doc, assertion, SAML, "Assertion") {
        return Err(Refused("the document is no assertion"));
    }
    let mut signature = None;
    for node in doc.descendants(doc.root()) {
        let element = match doc.node_kind(node) {
            Some(NodeKind::Element(element)) => element,
            Some(NodeKind::Text(_)) => continue,
            // They would not be signed, or would be read in two ways.
            _ => return Err(Refused("the assertion has comments or the like")),
        };
        let name = element.name.local_name.as_ref();
        if node != assertion && matches!(name, "Assertion" | "EncryptedAssertion") {
            return Err(Refused("there is another assertion"));
        }
        if name == "Signature" && signature.replace(node).is_some() {
            return Err(Refused("there is more than one signature"));
        }
    }
    let signature = signature.ok_or(Refused("the assertion is not signed"))?;
    if !is(doc, signature, DS, "Signature") || doc.parent(signature) != Some(assertion) {
        return Err(Refused("the signature is in the wrong place"));
    }
    Ok((assertion, signature))
}

/// No other element may go by the assertion's ID, by whatever attribute.
fn check_ids(doc: &Document<'_>, assertion: NodeId, id: &str) -> Result<(), Refused> {
    if id.is_empty() {
        return Err(Refused("the assertion has no ID"));
    }
    let others = doc.descendants(doc.root()).into_iter();
    let mut others = others.filter(|node| *node != assertion);
    let has_it = |node: NodeId| {
        doc.element(node).is_some_and(|element| {
            let mut attributes = element.attributes.iter();
            attributes.any(|one| one.name.local_name.eq_ignore_ascii_case("id") && one.value == id)
        })
    };
    if others.any(has_it) {
        return Err(Refused("something else has the ID of the assertion"));
    }
    Ok(())
}

/// The keys of the certificates in a confirmation.
fn keys_of(doc: &Document<'_>, confirmation: NodeId) -> Result<Vec<PublicKey>, Refused> {
    let mut keys = Vec::new();
    for data in all(doc, confirmation, "SubjectConfirmationData") {
        for info in doc.child_elements_by_name_ns(data, DS, "KeyInfo") {
            for data in doc.child_elements_by_name_ns(info, DS, "X509Data") {
                for certificate in doc.child_elements_by_name_ns(data, DS, "X509Certificate") {
                    let der = signature::base64(&text(doc, certificate)?)?;
                    keys.extend(PublicKey::of_certificate(&der));
                }
            }
        }
    }
    Ok(keys)
}

/// RSA's condition on renewing a token, which vCenter puts in: nothing is renewed here.
fn is_renewal(doc: &Document<'_>, condition: NodeId) -> bool {
    let kind = doc
        .element(condition)
        .and_then(|element| element.get_attribute_ns(XSI, "type"));
    let name = kind.map(|kind| kind.rsplit(':').next().unwrap_or(kind));
    is(doc, condition, SAML, "Condition") && name == Some("RenewRestrictionType")
}

fn time(doc: &Document<'_>, node: NodeId, name: &str) -> Result<Option<Timestamp>, Refused> {
    let Some(text) = attribute(doc, node, name) else {
        return Ok(None);
    };
    let time: jiff::Timestamp = text.parse().map_err(|_| Refused("a time is none"))?;
    let seconds = u64::try_from(time.as_second()).map_err(|_| Refused("a time is none"))?;
    Ok(Some(Timestamp(seconds)))
}

/// Whether an element has this name.
pub(super) fn is(doc: &Document<'_>, node: NodeId, namespace: &str, name: &str) -> bool {
    doc.element(node)
        .is_some_and(|element| element.matches_name_ns(namespace, name))
}

/// An attribute without a namespace.
pub(super) fn attribute<'d>(doc: &'d Document<'_>, node: NodeId, name: &str) -> Option<&'d str> {
    let mut attributes = doc.element(node)?.attributes.iter();
    let found =
        attributes.find(|one| one.name.namespace_uri.is_none() && one.name.local_name == name);
    found.map(|one| one.value.as_ref())
}

/// The elements in an element that has nothing else but blanks.
pub(super) fn elements(doc: &Document<'_>, node: NodeId) -> Result<Vec<NodeId>, Refused> {
    let mut found = Vec::new();
    for child in doc.children_iter(node) {
        match doc.node_kind(child) {
            Some(NodeKind::Element(_)) => found.push(child),
            Some(NodeKind::Text(text)) if text.trim_ascii().is_empty() => {}
            _ => return Err(Refused("there is text where none belongs")),
        }
    }
    Ok(found)
}

/// The text of an element that has nothing else.
pub(super) fn text(doc: &Document<'_>, node: NodeId) -> Result<String, Refused> {
    let mut all = String::new();
    for child in doc.children_iter(node) {
        match doc.node_kind(child) {
            Some(NodeKind::Text(text)) => all.push_str(text),
            _ => return Err(Refused("there is no mere text where it belongs")),
        }
    }
    Ok(all)
}

fn all<'d>(
    doc: &'d Document<'_>,
    node: NodeId,
    name: &str,
) -> impl Iterator<Item = NodeId> + use<'d> {
    doc.child_elements_by_name_ns(node, SAML, name).into_iter()
}

fn only(doc: &Document<'_>, node: NodeId, name: &str) -> Result<NodeId, Refused> {
    let mut found = all(doc, node, name);
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        _ => Err(Refused("an element is missing, or there twice")),
    }
}
