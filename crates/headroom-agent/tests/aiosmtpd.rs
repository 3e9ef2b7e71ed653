//! A mail through STARTTLS and a login to a server that others wrote: aiosmtpd, in a Python environment
//! under target/ that is made on the first run.

#![expect(
    clippy::unwrap_used,
    clippy::tests_outside_test_module,
    reason = "an integration test is one as a whole"
)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use headroom_api::agent::ask;
use headroom_api::notice::Tested;
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(120);

/// What is installed.
const AIOSMTPD: &str = "aiosmtpd==1.4.6";

fn succeeds(command: &mut Command) -> Result<(), String> {
    let name = format!("{command:?}");
    let output = command.output().map_err(|e| format!("{name}: {e}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("{name}: {}", String::from_utf8_lossy(&output.stderr))),
    }
}

/// The environment's Python.
fn python() -> Result<PathBuf, String> {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("aiosmtpd");
    let python = dir.join("bin/python");
    if !python.exists() {
        succeeds(Command::new("python3").args(["-m", "venv"]).arg(&dir))?;
    }
    let has = Command::new(&python).args(["-c", "import aiosmtpd"]).output();
    if !has.is_ok_and(|output| output.status.success()) {
        let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", AIOSMTPD];
        succeeds(Command::new(&python).args(install))?;
    }
    Ok(python)
}

fn certificate(dir: &Path) -> Result<(), String> {
    let subject =
        ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
    succeeds(
        Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
            ])
            .args(["-days", "2", "-keyout", "key.pem", "-out", "certificate.pem"])
            // A certificate that is an authority does not vouch for itself as a server.
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .args(subject)
            .current_dir(dir),
    )
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _gone_already = self.0.kill();
        let _reaped = self.0.wait();
    }
}

fn start(dir: &Path) -> Result<(Running, impl Iterator<Item = String>), String> {
    certificate(dir)?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/aiosmtpd_server.py");
    let mut server = Command::new(python()?)
        .arg(script)
        .args(["certificate.pem", "key.pem"])
        .current_dir(dir)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| e.to_string())?;
    let lines = BufReader::new(server.stdout.take().unwrap()).lines().map(Result::unwrap);
    Ok((Running(server), lines))
}

#[test]
fn a_mail_goes_through_starttls_and_a_login_to_a_server_that_others_wrote() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let (_server, mut lines) = match start(dir.path()) {
        Ok(started) => started,
        Err(why) if std::env::var_os("CI").is_none() => {
            eprintln!("SKIPPED: needs python3 with venv, PyPI and openssl: {why}");
            return;
        }
        Err(why) => panic!("{why}"),
    };
    let port: u16 = lines.next().unwrap().parse().unwrap();
    fs::write(path("password"), "hunter2\n").unwrap();
    let config = |further: &str| {
        format!(
            "[notify]\nnode = \"Müllers Laden\"\n[notify.journal]\nenabled = false\n[[notify.smtp]]\n\
             host = \"localhost\"\nport = {port}\ntls = \"starttls\"\nusername = \"shop\"\n\
             password_file = \"{}\"\nfrom = \"headroom@example.org\"\n\
             to = [\"ops@example.org\"]\n{further}",
            path("password").display()
        )
    };
    let ca = format!("ca_file = \"{}\"\n", path("certificate.pem").display());
    let test = |further: &str| -> Tested {
        fs::write(path("agent.toml"), config(further)).unwrap();
        fs::create_dir_all(path("root")).unwrap();
        let mut agent = Command::new(env!("CARGO_BIN_EXE_headroom-agent"));
        agent.arg("--config").arg(path("agent.toml")).arg("--state-dir").arg(path("state"));
        agent.arg("--runtime-dir").arg(path("run")).env("HEADROOM_ROOT", path("root"));
        let _agent = Running(agent.spawn().unwrap());
        let begun = Instant::now();
        loop {
            let asked = ask(&path("run"), "POST", "/v1/notify/test", Some(&json!({})), PATIENCE);
            match asked {
                Ok(response) => break response.json().unwrap(),
                Err(error) if begun.elapsed() > PATIENCE => panic!("{error}"),
                Err(_) => sleep(Duration::from_millis(50)),
            }
        }
    };
    let unknown = &test("").tests[0];
    assert!(!unknown.delivered && unknown.answer.contains("ertificate"), "{unknown:?}");
    fs::write(path("password"), "wrong\n").unwrap();
    let wrong = &test(&ca).tests[0];
    assert!(!wrong.delivered && wrong.answer.contains("logging in as shop"), "{wrong:?}");
    assert!(!wrong.answer.contains("wrong"), "{wrong:?}");
    fs::write(path("password"), "hunter2\n").unwrap();
    let taken = &test(&ca).tests[0];
    assert!(taken.delivered, "{taken:?}");
    let mail: Value = serde_json::from_str(&lines.next().unwrap()).unwrap();
    assert_eq!(mail["tls"], true);
    assert_eq!(mail["subject"], "Müllers Laden: a test of Headroom's notifications");
    assert_eq!(mail["parts"], json!(["multipart/alternative", "text/plain", "text/html"]));
    assert_eq!(mail["defects"], json!([]));
    assert!(mail["text"].as_str().unwrap().starts_with("This is a test: nothing has happened."));
    assert!(mail["html"].as_str().unwrap().contains("<h1"));
}
