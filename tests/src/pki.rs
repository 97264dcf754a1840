//! A certificate authority for one test.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Once};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, PublicKeyData,
    RevokedCertParams, SerialNumber, date_time_ymd,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// A certificate authority that everybody in the test trusts.
#[derive(Debug)]
pub struct Pki {
    authority: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate chain and its key, both PEM.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// The certificate.
    pub cert_pem: String,
    /// Its key, PKCS #8.
    pub key_pem: String,
    /// SHA-256 of the public key (SubjectPublicKeyInfo, DER), base64: how a browser is told to trust it.
    pub key_digest: String,
    serial_number: SerialNumber,
}

impl Default for Pki {
    fn default() -> Self {
        Self::new("Test CA")
    }
}

impl Pki {
    /// A new authority called `name`.
    pub fn new(name: &str) -> Self {
        install_crypto_provider();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { authority }
    }

    /// The authority's certificate, PEM.
    pub fn ca_pem(&self) -> String {
        self.authority.pem()
    }

    /// A server certificate for `hosts` (names or addresses).
    pub fn server(&self, hosts: &[&str]) -> Leaf {
        let names: Vec<String> = hosts.iter().map(|host| String::from(*host)).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name.push(DnType::CommonName, hosts[0]);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(params)
    }

    /// A client certificate whose subject is `CN=common_name`.
    pub fn client(&self, common_name: &str) -> Leaf {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::CommonName, common_name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(params)
    }

    /// The authority's list of revoked certificates (PEM), which is good until the first of January of a
    /// year.
    pub fn revocation_list(&self, revoked: &[&Leaf], next_update: i32) -> String {
        let revoked_certs = revoked.iter().map(|leaf| RevokedCertParams {
            serial_number: leaf.serial_number.clone(),
            revocation_time: date_time_ymd(2020, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2020, 1, 1),
            next_update: date_time_ymd(next_update, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked_certs.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.authority).unwrap().pem().unwrap()
    }

    fn sign(&self, mut params: CertificateParams) -> Leaf {
        params.use_authority_key_identifier_extension = true;
        let mut number = [0; 8];
        aws_lc_rs::rand::fill(&mut number).unwrap();
        let serial_number = SerialNumber::from(u64::from_be_bytes(number) >> 1);
        params.serial_number = Some(serial_number.clone());
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &self.authority).unwrap();
        let public_key = key.subject_public_key_info();
        Leaf {
            cert_pem: cert.pem(),
            key_pem: key.serialize_pem(),
            key_digest: STANDARD.encode(digest(&SHA256, &public_key)),
            serial_number,
        }
    }

    /// A TLS client that trusts this authority, offers `alpn` and, if asked, shows `leaf`.
    pub fn client_config(&self, alpn: &[&str], leaf: Option<&Leaf>) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.der().clone()).unwrap();
        let builder = ClientConfig::builder().with_root_certificates(roots);
        let mut config = match leaf {
            Some(leaf) => builder
                .with_client_auth_cert(leaf.chain(), leaf.key())
                .unwrap(),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        config
    }
}

impl Leaf {
    /// Writes `<name>.crt` and `<name>.key` into `folder`, and returns both paths.
    pub fn write(&self, folder: &Path, name: &str) -> (PathBuf, PathBuf) {
        let paths = (
            folder.join(format!("{name}.crt")),
            folder.join(format!("{name}.key")),
        );
        std::fs::write(&paths.0, &self.cert_pem).unwrap();
        std::fs::write(&paths.1, &self.key_pem).unwrap();
        paths
    }

    /// A TLS server that shows this certificate.
    pub fn server_config(&self) -> Arc<ServerConfig> {
        let builder = ServerConfig::builder().with_no_client_auth();
        Arc::new(builder.with_single_cert(self.chain(), self.key()).unwrap())
    }

    fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![CertificateDer::from_pem_slice(self.cert_pem.as_bytes()).unwrap()]
    }

    fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::from_pem_slice(self.key_pem.as_bytes()).unwrap()
    }
}

/// Makes aws-lc-rs the process's cryptography, once.
pub fn install_crypto_provider() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // An error means that somebody else was first, with the same provider.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    });
}
