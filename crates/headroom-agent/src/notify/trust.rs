//! Whose certificates are trusted: the system's authorities, as every other program on the node
//! trusts them, and those an administrator names.

use std::fs;
use std::path::Path;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// The certificates, DER.
///
/// # Errors
///
/// A sentence, when a file that is named cannot be used or there are none at all.
pub(super) fn authorities(further: Option<&Path>) -> Result<Vec<CertificateDer<'static>>, String> {
    let mut found = rustls_native_certs::load_native_certs().certs;
    if let Some(path) = further {
        let said = |why: String| format!("{}: {why}", path.display());
        let bytes = fs::read(path).map_err(|e| said(e.to_string()))?;
        let before = found.len();
        for certificate in CertificateDer::pem_slice_iter(&bytes) {
            found.push(certificate.map_err(|e| said(format!("is no PEM file: {e}")))?);
        }
        if found.len() == before {
            return Err(said("holds no certificate; a PEM file is expected".to_owned()));
        }
    }
    if found.is_empty() {
        return Err("this system trusts no certificate authority; install ca-certificates".into());
    }
    Ok(found)
}
