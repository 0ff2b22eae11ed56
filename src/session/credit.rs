//! How much the builder may hand over, as the session sees it.
//!
//! The builder counts bytes and messages, and stops when either runs out, even in mid-buffer. The session grants back
//! what was delivered to the handler: in halves, so that not every message is answered, and at once when the
//! builder has run out.

use super::inbound::{Credit, Inbound};

/// What an item costs besides its bytes: the memory of its place in the queues.
pub(super) const ITEM: usize = 64;

impl Inbound {
    /// What the item costs of the builder's credit.
    pub(super) fn cost(&self) -> Credit {
        match self {
            Self::Deliver(payload, facts, _) => Credit {
                bytes: facts.head_bytes + payload.body_bytes().len() + ITEM,
                messages: 1,
            },
            Self::Chunk(data) => Credit {
                bytes: data.len() + ITEM,
                messages: 0,
            },
            Self::Finish(trailers) => Credit {
                bytes: ITEM
                    + trailers
                        .as_ref()
                        .map_or(0, |trailers| trailers.block().raw().len()),
                messages: 0,
            },
            // A fault is the last item: the builder needs no more credit.
            Self::Fault(..) => Credit::default(),
        }
    }
}

/// How much of the builder's credit is used. The total comes from the options and is passed in.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// What the builder handed over and was not granted back. It may exceed the total, because the last item may
    /// overdraw.
    used: Credit,
    /// The part of `used` that was delivered.
    spent: Credit,
}

impl Ledger {
    /// Bytes that the builder may still hand over.
    pub(super) fn left(&self, whole: Credit) -> usize {
        whole.bytes.saturating_sub(self.used.bytes)
    }

    /// Bytes of items that came in and were not delivered or dropped.
    pub(super) fn waiting(&self) -> usize {
        self.used.bytes - self.spent.bytes
    }

    /// An item came in.
    pub(super) fn receive(&mut self, cost: Credit) {
        self.used.bytes += cost.bytes;
        self.used.messages += cost.messages;
    }

    /// An item was delivered or dropped.
    pub(super) fn spend(&mut self, cost: Credit) {
        self.spent.bytes += cost.bytes;
        self.spent.messages += cost.messages;
    }

    /// The credit to grant now, if it is enough to be worth a message.
    pub(super) fn grant(&mut self, whole: Credit) -> Option<Credit> {
        let half_spent = self.spent.bytes >= whole.bytes / 2
            || self.spent.messages >= whole.messages.div_ceil(2);
        let run_out = self.used.bytes >= whole.bytes || self.used.messages >= whole.messages;
        if self.spent.bytes == 0 || !(half_spent || run_out) {
            return None;
        }
        let granted = std::mem::take(&mut self.spent);
        self.used.bytes -= granted.bytes;
        self.used.messages -= granted.messages;
        Some(granted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::{Headers, Payload};
    use crate::session::meter::Stamp;
    use crate::wire::Facts;

    fn credit(bytes: usize, messages: usize) -> Credit {
        Credit { bytes, messages }
    }

    /// Its bytes, and its place in the queues: small items are not free.
    #[test]
    fn what_an_item_costs() {
        let mut trailers = Headers::new();
        trailers.append("a", "b").expect("a field");
        let facts = Facts {
            head_bytes: 100,
            ..Facts::default()
        };
        let request = Payload::post("/").expect("a target").body("12345");
        let rows = [
            (Inbound::Deliver(request, facts, Stamp::now()), 105, 1),
            (Inbound::Chunk("12345".into()), 5, 0),
            (Inbound::Finish(None), 0, 0),
            (Inbound::Finish(Some(Box::new(trailers))), 6, 0),
        ];
        for (item, bytes, messages) in rows {
            let cost = item.cost();
            assert_eq!((cost.bytes, cost.messages), (bytes + ITEM, messages));
        }
    }

    /// Sixteen small requests use up the message credit long before the byte credit: the builder must get both back.
    #[test]
    fn a_builder_that_ran_out_of_messages_gets_credit() {
        let whole = credit(64 << 10, 16);
        let mut ledger = Ledger::default();
        for _ in 0..16 {
            ledger.receive(credit(100, 1));
        }
        assert!(ledger.grant(whole).is_none(), "nothing was delivered yet");
        ledger.spend(credit(100, 1));
        let granted = ledger.grant(whole).expect("the builder stands still");
        assert_eq!((granted.bytes, granted.messages), (100, 1));
    }

    #[test]
    fn credit_goes_back_in_halves() {
        let whole = credit(1000, 16);
        let mut ledger = Ledger::default();
        ledger.receive(credit(600, 1));
        assert_eq!((ledger.left(whole), ledger.waiting()), (400, 600));
        ledger.spend(credit(499, 1));
        assert!(ledger.grant(whole).is_none());
        assert_eq!((ledger.left(whole), ledger.waiting()), (400, 101));
        ledger.spend(credit(1, 0));
        assert_eq!(ledger.grant(whole).expect("half is used").bytes, 500);
        assert_eq!((ledger.left(whole), ledger.waiting()), (900, 100));
    }

    #[test]
    fn so_does_that_for_messages() {
        let whole = credit(1000, 6);
        let mut ledger = Ledger::default();
        ledger.receive(credit(5, 5));
        ledger.spend(credit(2, 2));
        assert!(ledger.grant(whole).is_none());
        ledger.spend(credit(1, 1));
        assert_eq!(ledger.grant(whole).expect("half is used").messages, 3);
        ledger.receive(credit(3, 3));
        ledger.spend(credit(1, 1));
        assert!(ledger.grant(whole).is_none(), "one is left");
        ledger.receive(credit(1, 1));
        assert_eq!(ledger.grant(whole).expect("none is left").messages, 1);
    }

    /// The last item may overdraw.
    #[test]
    fn a_builder_that_ran_out_of_bytes_gets_credit() {
        let whole = credit(1000, 16);
        for (received, stands) in [(999, false), (1000, true), (1001, true)] {
            let mut ledger = Ledger::default();
            ledger.receive(credit(received, 0));
            ledger.spend(credit(1, 0));
            assert_eq!(ledger.grant(whole).is_some(), stands, "{received}");
            assert!(ledger.left(whole) <= 1);
        }
    }
}
