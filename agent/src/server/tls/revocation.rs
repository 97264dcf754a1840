//! Lists of revoked client certificates.

use std::io;
use std::path::PathBuf;

use policy_protocol::Reason;
use rustls::pki_types::CertificateRevocationListDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{CertificateError, Error};

use super::TlsError;

/// Reads lists. rustls checks who has signed one when a certificate is looked for in it.
pub(super) fn lists(
    files: &[PathBuf],
) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
    let mut lists = Vec::new();
    for file in files {
        let problem = |reason: String| TlsError::File {
            file: file.clone(),
            reason,
        };
        let before = lists.len();
        let found = CertificateRevocationListDer::pem_file_iter(file);
        for list in found.map_err(|error| problem(error.to_string()))? {
            lists.push(list.map_err(|error| problem(error.to_string()))?);
        }
        // Without any list at all, rustls would not look for revocations.
        if lists.len() == before {
            return Err(problem("there is no list in it".to_owned()));
        }
    }
    Ok(lists)
}

/// The reason code of a handshake that failed because of these lists. Nobody can be shown it: there is no
/// connection to answer on.
pub(in crate::server) fn reason(error: &io::Error) -> Option<Reason> {
    let error = error.get_ref()?.downcast_ref::<Error>()?;
    let Error::InvalidCertificate(error) = error else {
        return None;
    };
    match error {
        CertificateError::Revoked | CertificateError::UnknownRevocationStatus => {
            Some(Reason::CERTIFICATE_REVOKED)
        }
        CertificateError::ExpiredRevocationList
        | CertificateError::ExpiredRevocationListContext { .. } => Some(Reason::CRL_OUT_OF_DATE),
        _ => None,
    }
}
