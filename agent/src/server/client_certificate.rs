//! What is told of a client's certificate.

use policy_protocol::{Timestamp, hex};
use rustls::pki_types::CertificateDer;
use x509_parser::asn1_rs::ToDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{AttributeTypeAndValue, FromDer, X509Certificate, X509Name};

use crate::http::ClientCertificate;
use crate::http::connection_info::fingerprint;

/// Names of attribute types (RFC 4514, section 3); others are written as their numbers.
const TYPES: [(&str, &str); 9] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.6", "C"),
    ("2.5.4.9", "STREET"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("0.9.2342.19200300.100.1.1", "UID"),
];

/// Reads a certificate that was verified in the handshake; nothing if it cannot be read.
pub(super) fn read(certificate: &CertificateDer<'_>) -> Option<ClientCertificate> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    Some(ClientCertificate {
        subject: distinguished_name(parsed.subject()),
        issuer: distinguished_name(parsed.issuer()),
        fingerprint: fingerprint(certificate),
        common_names: parsed
            .subject()
            .iter_common_name()
            .filter_map(|name| name.as_str().ok().map(str::to_owned))
            .collect(),
        emails: emails(&parsed),
        not_after: Timestamp(u64::try_from(parsed.validity().not_after.timestamp()).unwrap_or(0)),
    })
}

fn emails(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(names)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    let names = names.value.general_names.iter();
    names
        .filter_map(|name| match name {
            GeneralName::RFC822Name(email) => Some((*email).to_owned()),
            _ => None,
        })
        .collect()
}

/// RFC 4514, section 2: the last relative name first, separated by commas, its parts joined by `+`.
fn distinguished_name(name: &X509Name<'_>) -> String {
    let mut relative: Vec<String> = name
        .iter_rdn()
        .map(|parts| parts.iter().map(attribute).collect::<Vec<_>>().join("+"))
        .collect();
    relative.reverse();
    relative.join(",")
}

fn attribute(attribute: &AttributeTypeAndValue<'_>) -> String {
    let number = attribute.attr_type().to_id_string();
    let known = TYPES
        .iter()
        .find(|(oid, _)| *oid == number)
        .map(|(_, name)| *name);
    match (known, attribute.as_str()) {
        (Some(name), Ok(value)) => format!("{name}={}", escape(value)),
        (known, _) => {
            let der = attribute.attr_value().to_der_vec().unwrap_or_default();
            format!("{}=#{}", known.unwrap_or(&number), hex::encode(&der))
        }
    }
}

/// RFC 4514, section 2.4. Control characters are escaped too, so that none gets into a header or a log.
fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    let last = value.chars().count().saturating_sub(1);
    for (at, character) in value.chars().enumerate() {
        match character {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => escaped.extend(['\\', character]),
            '#' if at == 0 => escaped.push_str("\\#"),
            ' ' if at == 0 || at == last => escaped.push_str("\\ "),
            control if control.is_control() => {
                for byte in control.to_string().bytes() {
                    escaped.push('\\');
                    escaped.push_str(&hex::encode([byte]));
                }
            }
            plain => escaped.push(plain),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, DnValue, KeyPair};

    use super::*;

    #[test]
    fn names_are_written_as_in_rfc_4514() {
        let mut params = CertificateParams::new([]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CountryName, "NL");
        params
            .distinguished_name
            .push(DnType::OrganizationName, "Door, \"Ward\" ");
        params.distinguished_name.push(
            DnType::CommonName,
            DnValue::Utf8String("#a\nb+ü".to_owned()),
        );
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let read = read(certificate.der()).unwrap();
        assert_eq!(read.subject, r#"CN=\#a\0ab\+ü,O=Door\, \"Ward\"\ ,C=NL"#);
        assert_eq!(read.issuer, read.subject);
        assert_eq!(read.fingerprint, fingerprint(certificate.der()));
        let ends = params.not_after.unix_timestamp();
        assert_eq!(read.not_after, Timestamp(u64::try_from(ends).unwrap()));
    }

    #[test]
    fn unknown_attributes_are_written_as_numbers() {
        let mut params = CertificateParams::new([]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        let unknown = DnType::CustomDnType(vec![1, 2, 3, 4]);
        params
            .distinguished_name
            .push(unknown, DnValue::Utf8String("x".to_owned()));
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        assert_eq!(read(certificate.der()).unwrap().subject, "1.2.3.4=#0c0178");
    }

    #[test]
    fn what_is_no_certificate_is_not_read() {
        assert_eq!(read(&CertificateDer::from(vec![1, 2, 3])), None);
    }
}
