//! How much the builder may hand over, as the session sees it.
//!
//! The builder has two counters, bytes and messages, and stops at the end of either, in mid-buffer if need be. The
//! session grants anew what was delivered to the handler: in halves, so that an envelope is not spent on each message,
//! and at once when the builder has run out.

use super::inbound::{Credit, Inbound};

/// What an item costs besides its bytes: the memory of its envelope and its place in the queue.
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
            Self::Fault(_) => Credit {
                bytes: ITEM,
                messages: 0,
            },
        }
    }
}

#[derive(Debug)]
pub(super) struct Ledger {
    whole: Credit,
    /// What the builder still has, as bytes and messages. Below zero where it overdrew by its last item.
    left: (i64, i64),
    /// What was delivered and not granted anew.
    spent: Credit,
}

impl Ledger {
    pub(super) fn new(whole: Credit) -> Self {
        Self {
            whole,
            left: signed(whole),
            spent: Credit::default(),
        }
    }

    /// Bytes that the builder may still hand over.
    pub(super) fn left(&self) -> usize {
        usize::try_from(self.left.0).unwrap_or_default()
    }

    /// Bytes of items that came in and were not delivered or dropped.
    pub(super) fn waiting(&self) -> usize {
        let (whole, _) = signed(self.whole);
        let (spent, _) = signed(self.spent);
        usize::try_from(whole - self.left.0 - spent).unwrap_or_default()
    }

    /// An item came in.
    pub(super) fn receive(&mut self, cost: Credit) {
        let (bytes, messages) = signed(cost);
        self.left.0 -= bytes;
        self.left.1 -= messages;
    }

    /// An item was delivered or dropped.
    pub(super) fn spend(&mut self, cost: Credit) {
        self.spent.bytes += cost.bytes;
        self.spent.messages += cost.messages;
    }

    /// What to grant now, if it is worth an envelope.
    pub(super) fn grant(&mut self) -> Option<Credit> {
        let half_spent = self.spent.bytes >= self.whole.bytes / 2
            || self.spent.messages >= self.whole.messages.div_ceil(2);
        let run_out = self.left.0 <= 0 || self.left.1 <= 0;
        if self.spent.bytes == 0 || !(half_spent || run_out) {
            return None;
        }
        let granted = std::mem::take(&mut self.spent);
        let (bytes, messages) = signed(granted);
        self.left.0 += bytes;
        self.left.1 += messages;
        Some(granted)
    }
}

/// No buffer is near 2^63 bytes.
fn signed(credit: Credit) -> (i64, i64) {
    (
        i64::try_from(credit.bytes).unwrap_or(i64::MAX),
        i64::try_from(credit.messages).unwrap_or(i64::MAX),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credit(bytes: usize, messages: usize) -> Credit {
        Credit { bytes, messages }
    }

    /// Sixteen small requests use up the messages long before the bytes: the builder must get both back.
    #[test]
    fn a_builder_that_ran_out_of_messages_gets_credit() {
        let mut ledger = Ledger::new(credit(64 << 10, 16));
        for _ in 0..16 {
            ledger.receive(credit(100, 1));
        }
        assert!(ledger.grant().is_none(), "nothing was delivered yet");
        ledger.spend(credit(100, 1));
        let granted = ledger.grant().expect("the builder stands still");
        assert_eq!((granted.bytes, granted.messages), (100, 1));
    }

    #[test]
    fn credit_goes_back_in_halves() {
        let mut ledger = Ledger::new(credit(1000, 16));
        ledger.receive(credit(600, 1));
        ledger.spend(credit(400, 1));
        assert!(ledger.grant().is_none());
        ledger.spend(credit(200, 0));
        assert_eq!(ledger.grant().expect("half is used").bytes, 600);
        assert_eq!(ledger.left(), 1000);
    }
}
