//! A POST to a web address: the notice as JSON, signed where there is a key.
//!
//! Over ureq, which blocks and brings little with it: channels have threads of their own, and the
//! other well-kept client (reqwest) would add an asynchronous stack for one request an hour.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use headroom_core::text::harmless;
use ureq::http::{Response, Uri};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body, Error, Timeout};

use super::channel::{Channel, Sending, Trouble};
use super::config::{self, Form};
use super::{sign, slack, trust};
use crate::RELEASE;

/// How long a whole request may take unless it is said.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is read of an answer.
const ANSWER: u64 = 4096;

/// What is told of it.
const TOLD: usize = 120;

/// The channel.
pub(super) struct Webhook {
    config: config::Webhook,
}

/// Whether that is a web address a message can be sent to.
///
/// # Errors
///
/// Why not, without the address, which may be a secret.
pub(super) fn check_url(url: &str) -> Result<(), String> {
    let Some(rest) = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")) else {
        return Err("begins neither with https:// nor with http://".to_owned());
    };
    if rest.is_empty() || rest.starts_with(['/', ':', '?']) {
        return Err("names no host".to_owned());
    }
    let uri: Uri = url.parse().map_err(|_| "is no web address".to_owned())?;
    match uri.authority() {
        Some(authority) if authority.as_str().contains('@') => {
            Err("has a user in it; use secret_file to prove who sends".to_owned())
        }
        Some(authority) if !authority.host().is_empty() => Ok(()),
        _ => Err("names no host".to_owned()),
    }
}

/// The address without what may be secret in it.
pub(super) fn shown_address(config: &config::Webhook) -> String {
    match (&config.url, &config.url_file, &config.url_credential) {
        (Some(url), ..) => without_path(url),
        (None, Some(file), _) => format!("the address in {}", file.display()),
        (None, None, Some(name)) => format!("the address in credential {name}"),
        (None, None, None) => "nowhere".to_owned(),
    }
}

fn without_path(url: &str) -> String {
    let uri: Option<Uri> = url.parse().ok();
    let parts =
        uri.as_ref().and_then(|uri| Some((uri.scheme_str()?, uri.authority()?, uri.path())));
    match parts {
        Some((scheme, host, "/" | "")) => format!("{scheme}://{host}/"),
        Some((scheme, host, _)) => format!("{scheme}://{host}/…"),
        None => "?".to_owned(),
    }
}

impl Webhook {
    pub(super) fn new(config: config::Webhook) -> Self {
        Self { config }
    }

    fn url(&self) -> Result<String, String> {
        let url = match (&self.config.url, self.config.secret_url()) {
            (Some(url), _) => url.clone(),
            (None, Some(secret)) => secret.read()?.expose().to_owned(),
            (None, None) => return Err("no address is given".to_owned()),
        };
        check_url(&url).map(|()| url)
    }

    fn agent(&self, encrypted: bool) -> Result<Agent, String> {
        let patience = self.config.timeout.map_or(PATIENCE, |timeout| timeout.0);
        let mut config = Agent::config_builder()
            .timeout_global(Some(patience))
            .http_status_as_error(false)
            // A POST that follows a redirect elsewhere may become a GET of something else.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(format!("headroom/{RELEASE}"))
            .max_idle_connections(0);
        if encrypted {
            let trusted = trust::authorities(self.config.ca_file.as_deref())?;
            let trusted: Vec<Certificate<'static>> =
                trusted.iter().map(|c| Certificate::from_der(c).to_owned()).collect();
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let tls = TlsConfig::builder()
                .root_certs(RootCerts::Specific(Arc::new(trusted)))
                .unversioned_rustls_crypto_provider(provider)
                .build();
            config = config.tls_config(tls);
        }
        Ok(config.build().into())
    }
}

impl Channel for Webhook {
    fn deliver(&mut self, sending: Sending<'_>) -> Result<String, Trouble> {
        let notice = sending.notice;
        let place = sending.address;
        let at = |why: String| Trouble::later(format!("{place}: {why}"));
        let body = match self.config.format.unwrap_or_default() {
            Form::Headroom => serde_json::to_vec(notice),
            Form::Slack => serde_json::to_vec(&slack::body(notice)),
        };
        let body = body.map_err(|e| Trouble::Refused(e.to_string()))?;
        let url = self.url().map_err(at)?;
        let agent = self.agent(url.starts_with("https://")).map_err(at)?;
        let mut request = agent
            .post(&url)
            .header("content-type", "application/json")
            .header("idempotency-key", &notice.id)
            .header("webhook-id", &notice.id);
        if let Some(secret) = self.config.key() {
            let key = secret.read().map_err(at)?;
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
            let signature = sign::signature(key.expose(), &notice.id, now, &body).map_err(at)?;
            request = request
                .header("webhook-timestamp", now.to_string())
                .header("webhook-signature", signature);
        }
        (sending.hand)()?;
        match request.send(&body[..]) {
            Ok(response) => answered(place, response),
            Err(error) => Err(failed(place, &error)),
        }
    }
}

/// A receiver that will not have this body will have others; one that lets nobody in, is not there or
/// has too much to do will have none for now.
fn answered(place: &str, mut response: Response<Body>) -> Result<String, Trouble> {
    let status = response.status().as_u16();
    let asked = response
        .headers()
        .get("retry-after")
        .and_then(|value| value.to_str().ok()?.trim().parse().ok())
        .map(Duration::from_secs);
    let text = response.body_mut().with_config().limit(ANSWER).read_to_string().unwrap_or_default();
    let text = harmless(text.trim(), TOLD);
    let said = if text.is_empty() { status.to_string() } else { format!("{status} {text}") };
    match status {
        200..=299 => Ok(said),
        300..=399 => {
            Err(Trouble::later(format!("{place}: redirects ({said}); set url to where it leads")))
        }
        401 | 403..=405 | 407 | 408 | 410 | 425 | 429 | 500.. => {
            Err(Trouble::Later { why: format!("{place}: answered {said}"), asked, unsure: false })
        }
        _ => Err(Trouble::Refused(format!("{place}: answered {said}"))),
    }
}

fn failed(place: &str, error: &Error) -> Trouble {
    // Whether it failed before anything was sent.
    let before = match error {
        Error::Timeout(Timeout::Resolve | Timeout::Connect)
        | Error::HostNotFound
        | Error::ConnectionFailed
        | Error::BadUri(_)
        | Error::Tls(_)
        | Error::Rustls(_) => true,
        Error::Io(error) => matches!(
            error.kind(),
            io::ErrorKind::ConnectionRefused
                | io::ErrorKind::HostUnreachable
                | io::ErrorKind::NetworkUnreachable
                | io::ErrorKind::NotFound
        ),
        _ => false,
    };
    let why = match error {
        // It would repeat the address.
        Error::BadUri(_) => "is no web address".to_owned(),
        Error::Io(error) => error.to_string(),
        error => error.to_string(),
    };
    let why = format!("{place}: {}", harmless(&why, TOLD));
    if before { Trouble::later(why) } else { Trouble::unsure(why) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_what_may_be_secret() {
        assert_eq!(
            without_path("https://hooks.example/services/T0/B0/xyz?k=1"),
            "https://hooks.example/…"
        );
        assert_eq!(without_path("http://127.0.0.1:8080/"), "http://127.0.0.1:8080/");
    }

    #[test]
    fn what_is_no_address_is_refused_without_repeating_it() {
        for url in
            ["ftp://secret", "https://", "https:///secret", "https://u:secret@h/", "http://a b"]
        {
            let why = check_url(url).unwrap_err();
            assert!(!why.contains("secret@") && !why.contains("secret\""), "{why}");
        }
        assert!(check_url("https://hooks.example/services/T0").is_ok());
        assert!(check_url("http://[::1]:8080/x").is_ok());
    }
}
