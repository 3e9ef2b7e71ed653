//! A mail server for tests: takes mail over a real connection, or does what it is told instead.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// A mail as it arrived.
#[derive(Clone, Debug)]
pub struct Arrived {
    /// The envelope.
    pub from: String,
    pub to: String,
    /// Headers and body.
    pub data: String,
    /// Who had logged in, as `AUTH PLAIN` encodes it.
    pub login: Option<String>,
}

impl Arrived {
    /// A header's value, unfolded.
    pub fn header(&self, name: &str) -> Option<String> {
        let head = self.data.split("\r\n\r\n").next()?.replace("\r\n ", " ");
        let found = head.split("\r\n").filter_map(|line| line.split_once(": "));
        found.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, v)| v.to_owned()).next()
    }
}

/// What it does, where it does not simply take mail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Behaviour {
    #[default]
    Takes,
    /// Answers the receiver's address with 550.
    RefusesReceiver,
    /// Answers it with 451.
    AsksToWait,
    /// Takes the message and closes the connection instead of saying so.
    DiesAfterTaking,
    /// Lets nobody in without a login, and nobody with one.
    RefusesLogin,
}

/// The server.
pub struct MailServer {
    pub address: SocketAddr,
    pub arrived: Arc<Mutex<Vec<Arrived>>>,
    pub behaviour: Arc<Mutex<Behaviour>>,
    /// How many connections there were.
    pub connections: Arc<Mutex<usize>>,
}

impl MailServer {
    /// One that listens on a free port of this machine.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let server = Self {
            address: listener.local_addr().expect("its address"),
            arrived: Arc::default(),
            behaviour: Arc::default(),
            connections: Arc::default(),
        };
        let (arrived, behaviour) = (server.arrived.clone(), server.behaviour.clone());
        let connections = server.connections.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                *connections.lock().unwrap_or_else(PoisonError::into_inner) += 1;
                let (arrived, behaviour) = (arrived.clone(), behaviour.clone());
                // A client that goes away in the middle is no failure of the server.
                thread::spawn(move || converse(stream, &arrived, &behaviour).ok());
            }
        });
        server
    }

    pub fn all(&self) -> Vec<Arrived> {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn behaves(&self, behaviour: Behaviour) {
        *self.behaviour.lock().unwrap_or_else(PoisonError::into_inner) = behaviour;
    }
}

fn converse(
    mut stream: TcpStream,
    arrived: &Mutex<Vec<Arrived>>,
    behaviour: &Mutex<Behaviour>,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?);
    let (mut from, mut to, mut login) = (String::new(), String::new(), None);
    write!(stream, "220 test\r\n")?;
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let does = *behaviour.lock().unwrap_or_else(PoisonError::into_inner);
        let line = line.trim_end();
        match line.split(' ').next().unwrap_or_default().to_uppercase().as_str() {
            "EHLO" => write!(stream, "250-test\r\n250-AUTH PLAIN LOGIN\r\n250 8BITMIME\r\n")?,
            "AUTH" if does == Behaviour::RefusesLogin => write!(stream, "535 5.7.8 wrong\r\n")?,
            "AUTH" => {
                login = line.strip_prefix("AUTH PLAIN ").map(str::to_owned);
                write!(stream, "235 welcome\r\n")?;
            }
            "MAIL" => {
                from = line.to_owned();
                write!(stream, "250 ok\r\n")?;
            }
            "RCPT" => {
                to = line.to_owned();
                match does {
                    Behaviour::RefusesReceiver => write!(stream, "550 5.1.1 no such user\r\n")?,
                    Behaviour::AsksToWait => write!(stream, "451 4.7.1 greylisted\r\n")?,
                    _ => write!(stream, "250 ok\r\n")?,
                }
            }
            "DATA" => {
                write!(stream, "354 go on\r\n")?;
                let mut data = String::new();
                loop {
                    let mut line = String::new();
                    if lines.read_line(&mut line)? == 0 {
                        return Ok(());
                    }
                    if line == ".\r\n" {
                        break;
                    }
                    data.push_str(line.strip_prefix('.').unwrap_or(&line));
                }
                let mail =
                    Arrived { from: from.clone(), to: to.clone(), data, login: login.clone() };
                arrived.lock().unwrap_or_else(PoisonError::into_inner).push(mail);
                if does == Behaviour::DiesAfterTaking {
                    return Ok(());
                }
                write!(stream, "250 2.0.0 queued as 1\r\n")?;
            }
            "QUIT" => return write!(stream, "221 bye\r\n"),
            "NOOP" | "RSET" => write!(stream, "250 ok\r\n")?,
            _ => write!(stream, "502 what?\r\n")?,
        }
    }
}
