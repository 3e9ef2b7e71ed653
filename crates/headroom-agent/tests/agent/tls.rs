//! The listener with TLS.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::crypto::ring::default_provider;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::harness::{FakeGuard, Node, PATIENCE, status_and_body};

/// A node that listens with a certificate of its own, and what to trust it by.
fn node() -> (Node, RootCertStore) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let mut node = Node::new("");
    let (certificate, key) = (node.path().join("certificate.pem"), node.path().join("key.pem"));
    fs::write(&certificate, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let config = format!(
        "app = \"shop\"\n[http]\nlisten = \"127.0.0.1:0\"\ntls_certificate = \"{}\"\ntls_key = \"{}\"\n",
        certificate.display(),
        key.display()
    );
    fs::write(node.path().join("agent.toml"), config).unwrap();
    node.start();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    (node, roots)
}

#[test]
fn a_client_that_trusts_the_certificate_is_answered_with_its_token() {
    let (node, roots) = node();
    let _guard = FakeGuard::start(node.path());
    let token = node.token("deploy", &["read"]);
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let ask = |head: &str| {
        let name = ServerName::try_from("localhost").unwrap();
        let client = ClientConnection::new(Arc::new(config.clone()), name).unwrap();
        let stream = TcpStream::connect(node.tcp()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut stream = StreamOwned::new(client, stream);
        let request = format!(
            "GET /v1/status HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{head}\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        status_and_body(&String::from_utf8_lossy(&answer)).0
    };
    assert_eq!(ask(&format!("authorization: Bearer {token}\r\n")), 200);
    assert_eq!(ask("authorization: Bearer headroom_00\r\n"), 401);
    assert_eq!(ask(""), 401);
}

#[test]
fn without_tls_nothing_is_said_on_that_port() {
    let (node, _) = node();
    let mut stream = TcpStream::connect(node.tcp()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    // The alert of TLS, or a closed connection: never HTTP.
    let _cut_off = stream.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
}

#[test]
fn a_key_that_is_none_is_said_at_the_start() {
    let (node, _) = node();
    fs::write(node.path().join("key.pem"), "no key").unwrap();
    let runtime = tempfile::tempdir().unwrap();
    let mut command = node.command();
    command.arg("--runtime-dir").arg(runtime.path());
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(78), "{said}");
    assert!(said.contains("key.pem: holds no private key in PEM form"), "{said}");
}
