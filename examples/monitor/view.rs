//! What was seen of the sessions at one moment, and the difference between two moments as JSON.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use actix::Addr;
use http_actors::sse::Event;
use http_actors::{HttpSession, SessionInfo};

/// A session and what it answered, if it did in time.
pub(crate) type Answer = (Addr<HttpSession>, Option<SessionInfo>);

/// All sessions at one moment.
#[derive(Default)]
pub(crate) struct View {
    /// Since the monitor began.
    at: Duration,
    /// Exchanges that were over.
    done: u64,
    /// By number. Numbers are given in the order of age, and never twice.
    rows: BTreeMap<u64, Row>,
    last: u64,
}

struct Row {
    session: Addr<HttpSession>,
    opened: Duration,
    /// What it answered last.
    info: Option<SessionInfo>,
    json: String,
}

impl View {
    /// The view after this one.
    #[allow(
        clippy::mutable_key_type,
        reason = "addresses are compared by whose they are"
    )]
    pub(crate) fn next(&self, at: Duration, done: u64, mut answers: Vec<Answer>) -> Self {
        let known: HashMap<_, _> = self
            .rows
            .iter()
            .map(|(id, row)| (&row.session, *id))
            .collect();
        answers.sort_by_key(|(_, info)| Reverse(info.as_ref().map(|info| info.age)));
        let (rows, last) = (BTreeMap::new(), self.last);
        let mut view = Self {
            at,
            done,
            rows,
            last,
        };
        for (session, answer) in answers {
            let id = known.get(&session).copied().unwrap_or_else(|| {
                view.last += 1;
                view.last
            });
            let before = self.rows.get(&id);
            let silent = answer.is_none();
            let info = answer.or_else(|| before?.info.clone());
            let age = info.as_ref().map_or(Duration::ZERO, |info| info.age);
            // Ages and looks differ by a hair: what was found out first stays.
            let before = before.filter(|row| row.info.is_some());
            let opened = before.map_or(at.saturating_sub(age), |row| row.opened);
            let json = json(id, opened, silent, info.as_ref());
            let row = Row {
                session,
                opened,
                info,
                json,
            };
            view.rows.insert(id, row);
        }
        view
    }

    /// Those that are not over, without asking them.
    pub(crate) fn open(&self) -> Vec<Answer> {
        let sessions = self.rows.values().map(|row| &row.session);
        let open = sessions.filter(|session| session.connected());
        open.map(|session| (session.clone(), None)).collect()
    }

    pub(crate) fn session(&self, id: u64) -> Option<&Addr<HttpSession>> {
        self.rows.get(&id).map(|row| &row.session)
    }

    /// What a page must be told that knows that view; everything, if it knows none.
    ///
    /// `at` is in milliseconds; where `all` is true, what is not among the `rows` is over; `gone` are numbers.
    pub(crate) fn event(&self, known: Option<&Self>) -> Event {
        let old = |id| known.and_then(|view| view.rows.get(id));
        let rows: Vec<_> = (self.rows.iter())
            .filter(|(id, row)| old(id).is_none_or(|old| old.json != row.json))
            .map(|(_, row)| &*row.json)
            .collect();
        let gone: Vec<_> = (known.iter().flat_map(|view| view.rows.keys()))
            .filter(|id| !self.rows.contains_key(id))
            .map(u64::to_string)
            .collect();
        Event::data(format!(
            r#"{{"at":{},"done":{},"all":{},"rows":[{}],"gone":[{}]}}"#,
            self.at.as_millis(),
            self.done,
            known.is_none(),
            rows.join(","),
            gone.join(","),
        ))
    }
}

/// Number, opened at (ms), silent; and if it ever was not: peer, phase, exchanges, bytes in, bytes out, items and bytes
/// that wait, for how long throttled (ms), muted.
fn json(id: u64, opened: Duration, silent: bool, info: Option<&SessionInfo>) -> String {
    let opened = opened.as_millis();
    let Some(info) = info else {
        return format!("[{id},{opened},{silent}]");
    };
    // Nothing here is text that a peer has sent.
    let peer = info.peer.remote.map(|peer| peer.to_string());
    let throttled = info.throttled_for.map(|time| time.as_millis().to_string());
    format!(
        r#"[{id},{opened},{silent},"{}","{:?}",{},{},{},{},{},{},{}]"#,
        peer.as_deref().unwrap_or("-"),
        info.phase,
        info.exchanges,
        info.body_bytes_in,
        info.wire_bytes_out,
        info.inbound_queued,
        info.outbound_queued,
        throttled.as_deref().unwrap_or("null"),
        info.muted,
    )
}
