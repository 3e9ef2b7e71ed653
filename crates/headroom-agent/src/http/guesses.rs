//! Tokens that were guessed wrong, counted by where they came from. A right one is never held up by the
//! wrong ones of others behind the same address: 256 random bits are not guessed, however often.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::caller::Connection;
use crate::say;

/// Wrong tokens from one place in a minute, after which it is told to wait.
const ALLOWED: u32 = 10;
/// How long they are counted.
const WINDOW: Duration = Duration::from_secs(60);
/// Places that are remembered.
const PLACES: usize = 4096;

/// Whoever sends tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Guesser {
    User(u32),
    Address(IpAddr),
}

impl Guesser {
    pub(crate) fn of(connection: &Connection) -> Self {
        match connection {
            Connection::Local(local) => Self::User(local.peer.uid),
            Connection::Remote(address) => Self::Address(match address.ip() {
                // Who has one address of a network has them all.
                IpAddr::V6(ip) => {
                    let bits = ip.to_bits() & !u128::from(u64::MAX);
                    IpAddr::V6(bits.into())
                }
                ip => ip,
            }),
        }
    }
}

/// The count.
#[derive(Debug, Default)]
pub(crate) struct Guesses {
    places: Mutex<HashMap<Guesser, (Instant, u32)>>,
}

impl Guesses {
    /// Counts a wrong token; whether it was one too many.
    pub(crate) fn note(&self, from: Guesser) -> bool {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if places.len() >= PLACES && !places.contains_key(&from) {
            places.retain(|_, (since, _)| since.elapsed() < WINDOW);
            if places.len() >= PLACES {
                return true;
            }
        }
        let (since, count) = places.entry(from).or_insert_with(|| (Instant::now(), 0));
        if since.elapsed() >= WINDOW {
            (*since, *count) = (Instant::now(), 0);
        }
        *count = count.saturating_add(1);
        if *count == ALLOWED + 1 {
            say(&format!("{ALLOWED} invalid tokens within a minute from {from:?}"));
        }
        *count > ALLOWED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_eleventh_wrong_token_is_one_too_many_and_others_do_not_pay_for_it() {
        let guesses = Guesses::default();
        let (one, other) = (Guesser::User(1000), Guesser::User(1001));
        assert!((0..10).all(|_| !guesses.note(one)));
        assert!(guesses.note(one));
        assert!(!guesses.note(other));
    }

    #[test]
    fn a_network_of_addresses_is_one_place() {
        let of =
            |ip: &str| Guesser::of(&Connection::Remote((ip.parse::<IpAddr>().unwrap(), 1).into()));
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:2"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}
