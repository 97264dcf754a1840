//! A certificate for a server on this machine.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

/// A certificate for `localhost` and `127.0.0.1`, and the authority that signed it; all PEM.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// What a client has to trust.
    pub ca_pem: String,
    /// The server's certificate.
    pub cert_pem: String,
    /// Its key, PKCS #8.
    pub key_pem: String,
}

impl Certificate {
    /// A new authority, and a certificate by it.
    ///
    /// # Panics
    /// If the machine has no randomness.
    pub fn new() -> Self {
        let mut authority = CertificateParams::default();
        authority
            .distinguished_name
            .push(DnType::CommonName, "Authority of a test");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority =
            CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let names = vec![String::from("localhost"), String::from("127.0.0.1")];
        let mut server = CertificateParams::new(names).unwrap();
        server.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().unwrap();
        Self {
            ca_pem: authority.pem(),
            cert_pem: server.signed_by(&key, &authority).unwrap().pem(),
            key_pem: key.serialize_pem(),
        }
    }
}

impl Default for Certificate {
    fn default() -> Self {
        Self::new()
    }
}
