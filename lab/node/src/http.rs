//! The plainest HTTP client there is, for questions that may wait: one GET, one status.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::thread;
use std::time::Duration;

use crate::clock;

/// Where the shop listens.
pub(crate) const SHOP_PORT: u16 = 80;
/// The page that is asked for: some PHP, some rows of the database.
pub(crate) const SHOP_PAGE: &str = "/ping.php";

/// The request for `page`.
pub(crate) fn request(page: &str) -> String {
    format!("GET {page} HTTP/1.0\r\nHost: shop\r\n\r\n")
}

/// Whether the page came with status 200 within `limit`.
pub(crate) fn answers(port: u16, page: &str, limit: Duration) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(limit))?;
        stream.write_all(request(page).as_bytes())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer.get(8..12) == Some(b" 200"))
    };
    ask().unwrap_or(false)
}

/// Asks the shop again and again until it answers; whether it did so within `limit`.
pub(crate) fn shop_answers_within(limit: Duration) -> bool {
    let end = clock::now() + limit;
    while clock::now() < end {
        if answers(SHOP_PORT, SHOP_PAGE, end.saturating_sub(clock::now())) {
            return true;
        }
        thread::sleep(Duration::from_millis(200));
    }
    false
}
