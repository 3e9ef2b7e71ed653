//! TLS on the TCP listener. A certificate that was renewed is taken up without a restart.

use std::fmt;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::config::Http;
use crate::say;

/// How often the files are looked at.
const PERIOD: Duration = Duration::from_secs(30);

/// Why there is no TLS.
#[derive(Debug)]
pub(crate) struct TlsError {
    path: PathBuf,
    why: String,
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.why)
    }
}

impl std::error::Error for TlsError {}

/// The certificate in use.
pub(super) struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    used: Mutex<Used>,
}

struct Used {
    acceptor: TlsAcceptor,
    written: Option<SystemTime>,
    looked: Instant,
}

impl Tls {
    /// Reads certificate and key; `None` where the configuration has neither.
    pub(super) fn load(http: &Http) -> Result<Option<Arc<Self>>, TlsError> {
        let (Some(certificate), Some(key)) = (&http.tls_certificate, &http.tls_key) else {
            return Ok(None);
        };
        let used = Used {
            acceptor: acceptor(certificate, key)?,
            written: written(certificate),
            looked: Instant::now(),
        };
        let (certificate, key) = (certificate.clone(), key.clone());
        Ok(Some(Arc::new(Self { certificate, key, used: Mutex::new(used) })))
    }

    /// For the next connection. A renewed certificate that is no good leaves the old one in use.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.looked.elapsed() >= PERIOD {
            used.looked = Instant::now();
            let now = written(&self.certificate);
            if now != used.written {
                used.written = now;
                match acceptor(&self.certificate, &self.key) {
                    Ok(acceptor) => used.acceptor = acceptor,
                    Err(error) => say(&format!("{error}; the old certificate stays in use")),
                }
            }
        }
        used.acceptor.clone()
    }
}

fn written(path: &PathBuf) -> Option<SystemTime> {
    fs::metadata(path).and_then(|file| file.modified()).ok()
}

fn acceptor(certificate: &PathBuf, key: &PathBuf) -> Result<TlsAcceptor, TlsError> {
    let at = |path: &PathBuf, why: String| TlsError { path: path.clone(), why };
    let read = |path: &PathBuf| fs::read(path).map_err(|e: io::Error| at(path, e.to_string()));
    let chain = CertificateDer::pem_slice_iter(&read(certificate)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| at(certificate, e.to_string()))?;
    if chain.is_empty() {
        return Err(at(certificate, "holds no certificate in PEM form".into()));
    }
    let secret = PrivateKeyDer::from_pem_slice(&read(key)?)
        .map_err(|e| at(key, format!("holds no private key in PEM form: {e}")))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, secret))
        .map_err(|e| at(certificate, format!("cannot be used with its key: {e}")))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
