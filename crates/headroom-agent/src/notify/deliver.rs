//! One channel's deliveries: what is due goes out, within the limit per hour, and what fails waits.

use std::collections::BTreeMap;
use std::time::Duration;

use headroom_api::notice::NoticeKind;
use headroom_core::words::notice as words;

use super::backoff;
use super::channel::{Channel, Sending, Trouble};
use super::config::Common;
use super::frame::Frame;
use super::gather;
use super::queue::{self, Message, Outlet};
use super::receipt::Receipt;
use crate::say;
use crate::store::{Store, StoreError};

/// The hour of the limit.
const HOUR_MS: i64 = 3_600_000;

/// A message that was refused so often is given up.
const REFUSALS: u32 = 4;

/// When the store fails, it is asked again after this.
const STORE_REST_MS: i64 = 30_000;

/// A channel with its addresses.
pub(super) struct Line {
    pub(super) store: Store,
    pub(super) channel: Box<dyn Channel>,
    pub(super) receipt: Receipt,
    pub(super) common: Common,
    pub(super) outlets: Vec<Outlet>,
    pub(super) frame: Frame,
    /// How long a message may wait.
    pub(super) expire_ms: i64,
    /// What was last said of an address, so that an outage is said once.
    pub(super) said: BTreeMap<String, String>,
}

/// What time it is, in milliseconds since 1970, and whether it is time to stop.
pub(super) trait Surroundings {
    fn now_ms(&self) -> i64;
    fn stopping(&self) -> bool;
}

impl Line {
    /// Sends what is due to all addresses. Gives back when there may be more to do.
    pub(super) fn pass(&mut self, around: &dyn Surroundings) -> Option<i64> {
        let mut next: Option<i64> = None;
        for outlet in self.outlets.clone() {
            let at = self.outlet(&outlet, around).unwrap_or_else(|error| {
                self.say_once(&outlet, &error.to_string());
                Some(around.now_ms() + STORE_REST_MS)
            });
            next = next.into_iter().chain(at).min();
        }
        self.channel.rest();
        next
    }

    fn outlet(
        &mut self,
        outlet: &Outlet,
        around: &dyn Surroundings,
    ) -> Result<Option<i64>, StoreError> {
        loop {
            let now = around.now_ms();
            let (to, before) = (outlet.clone(), now - self.expire_ms);
            let expired = self.store.wait(move |db| gather::expire(db, &to, before, now))?;
            if expired > 0 {
                say(&format!(
                    "notify {}: {expired} messages waited too long and will be told in one",
                    self.shown(outlet)
                ));
            }
            let to = outlet.clone();
            let (failures, retry) = self.store.wait(move |db| queue::rest(db, &to))?;
            // A clock that was set back does not silence an address for longer than the longest rest.
            if let Some(retry) =
                retry.filter(|retry| (now..now + 2 * HOUR_MS).contains(&(*retry - 1)))
            {
                return Ok(Some(retry));
            }
            let to = outlet.clone();
            let due = self.store.wait(move |db| queue::due(db, &to, now))?;
            if due.is_empty() {
                let to = outlet.clone();
                let next = self.store.wait(move |db| queue::next_due(db, &to, now))?;
                return Ok(next);
            }
            let (room, full_until) = self.room(outlet, now)?;
            if room == 0 {
                return Ok(Some(full_until));
            }
            let (own, special): (Vec<_>, Vec<_>) = due
                .iter()
                .partition(|m| !matches!(m.kind, NoticeKind::Digest | NoticeKind::Summary));
            let waiting_digest = special.iter().any(|m| m.kind == NoticeKind::Digest);
            if own.len() > room.saturating_sub(special.len()) && (own.len() > 1 || waiting_digest) {
                let (to, seqs) = (outlet.clone(), own.iter().map(|m| m.seq).collect::<Vec<_>>());
                self.store.wait(move |db| gather::digest(db, &to, &seqs, now))?;
                continue;
            }
            let Some(first) = special.first().or(own.first()) else { return Ok(None) };
            if around.stopping() {
                return Ok(None);
            }
            if let Some(rest) = self.send(outlet, first, failures, (room, full_until), around)? {
                return Ok(Some(rest));
            }
        }
    }

    /// How many messages may go out now, and when the next may if these are used up.
    fn room(&self, outlet: &Outlet, now: i64) -> Result<(usize, i64), StoreError> {
        let most = usize::try_from(self.common.per_hour).unwrap_or(usize::MAX);
        if most == 0 {
            return Ok((usize::MAX, now));
        }
        let to = outlet.clone();
        let sent = self.store.wait(move |db| queue::sent_since(db, &to, now - HOUR_MS))?;
        // What a clock that was set back calls the future is over by its own count as well.
        let sent: Vec<i64> = sent.into_iter().filter(|at| *at <= now).collect();
        let over = sent.len().saturating_sub(most.saturating_sub(1));
        let until = sent
            .get(over.saturating_sub(1))
            .map_or(now + HOUR_MS + 1, |oldest| oldest + HOUR_MS + 1);
        Ok((most.saturating_sub(sent.len()), until))
    }

    /// Sends one. Gives back until when the address is to be left alone, when it failed.
    fn send(
        &mut self,
        outlet: &Outlet,
        message: &Message,
        failures: u32,
        (room, full_until): (usize, i64),
        around: &dyn Surroundings,
    ) -> Result<Option<i64>, StoreError> {
        let (seq, now) = (message.seq, around.now_ms());
        let mut notice = message.notice.clone();
        // What its receiver may have already is sent again as it was.
        let fresh = !message.handed;
        if fresh && matches!(message.kind, NoticeKind::Digest | NoticeKind::Summary) {
            let (frame, empty) = (self.frame.clone(), notice.clone());
            notice = self.store.wait(move |db| gather::content(db, &frame, seq, &empty, now))?;
        }
        if fresh && room == 1 {
            let capped = words::capped(
                u64::from(self.common.per_hour),
                &self.frame.readable(full_until.max(now)),
            );
            notice.note =
                Some(notice.note.map_or(capped.clone(), |note| format!("{note}. {capped}")));
        }
        let claimed = notice.clone();
        if !self.store.wait(move |db| queue::claim(db, seq, &claimed))? {
            return Ok(None);
        }
        let store = self.store.clone();
        let mut hand = || {
            let at = around.now_ms();
            store
                .wait(move |db| queue::hand(db, seq, at))
                .map_err(|e| Trouble::later(e.to_string()))
        };
        let (address, follows) = (outlet.address.as_str(), message.follows);
        let sending = Sending { address, notice: &notice, follows, hand: &mut hand };
        let answer = self.channel.deliver(sending);
        let (to, now) = (outlet.clone(), around.now_ms());
        match answer {
            Ok(_) => {
                self.receipt.note(seq, &notice.id);
                self.store.wait(move |db| queue::sent(db, &to, seq, now))?;
                if self.said.remove(&outlet.address).is_some() {
                    say(&format!("notify {}: works again", self.shown(outlet)));
                }
                Ok(None)
            }
            Err(Trouble::Later { why, asked, unsure }) => {
                let wait = self.wait(outlet, failures + 1, asked);
                self.say_once(outlet, &why);
                let may_have = unsure || message.handed;
                self.store
                    .wait(move |db| queue::failed(db, &to, (seq, may_have), &why, now + wait))?;
                Ok(Some(now + wait))
            }
            Err(Trouble::Refused(why)) => {
                let refusals = message.refusals + 1;
                let retry =
                    (refusals < REFUSALS).then(|| now + self.wait(outlet, refusals * 2, None));
                let end = if retry.is_some() { "it is tried again" } else { "it is given up" };
                say(&format!(
                    "notify {}: {} was refused: {why}; {end}",
                    self.shown(outlet),
                    notice.id
                ));
                let may_have = message.handed;
                self.store
                    .wait(move |db| queue::refused(db, &to, (seq, may_have), &why, retry, now))?;
                Ok(None)
            }
        }
    }

    fn wait(&self, outlet: &Outlet, failures: u32, asked: Option<Duration>) -> i64 {
        let seed = backoff::seed(&[&self.frame.node, &outlet.channel, &outlet.address]);
        i64::try_from(backoff::after(failures, asked, seed).as_millis()).unwrap_or(HOUR_MS)
    }

    fn say_once(&mut self, outlet: &Outlet, why: &str) {
        if self.said.get(&outlet.address).is_some_and(|said| said == why) {
            return;
        }
        say(&format!("notify {}: {why}; what there is to tell waits", self.shown(outlet)));
        self.said.insert(outlet.address.clone(), why.to_owned());
    }

    fn shown(&self, outlet: &Outlet) -> String {
        format!("{} to {}", outlet.channel, outlet.address)
    }
}
