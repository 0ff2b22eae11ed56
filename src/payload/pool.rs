//! Message boxes, and blocks of received heads, that a thread keeps for reuse.
//!
//! A payload is one box. Taking it from here and giving it back costs a few instructions; an allocation costs a
//! hundred. The memory of its header block comes with it, and the head that it was lent last (`lent.rs`). This was worth
//! 400 instructions a request when it was tried.

use std::cell::RefCell;
use std::sync::Arc;

use super::block::Block;
use super::message::Message;

/// How many boxes a thread keeps.
const KEPT: usize = 64;

/// A box whose header memory grew beyond this goes back to the allocator.
const LARGEST: usize = 4096;

/// The same for a block. It is less, because an idle connection holds the block of its last head, which another
/// connection may have made grow.
const LARGEST_BLOCK: usize = 1024;

thread_local! {
    #[allow(clippy::vec_box, reason = "the boxes are what is reused")]
    static POOL: RefCell<Vec<Box<Message>>> = const { RefCell::new(Vec::new()) };
    static BLOCKS: RefCell<Vec<Arc<Block>>> = const { RefCell::new(Vec::new()) };
}

/// An empty message.
pub(super) fn take() -> Box<Message> {
    POOL.try_with(|pool| pool.borrow_mut().pop())
        .ok()
        .flatten()
        .unwrap_or_default()
}

/// Gives a message back, cleared.
pub(super) fn give(mut message: Box<Message>) {
    // The thread may be ending: then the box is simply dropped.
    let _ = POOL.try_with(|pool| {
        if message.headers.capacity() <= LARGEST {
            message.clear();
            let mut pool = pool.borrow_mut();
            if pool.len() < KEPT {
                pool.push(message);
            }
        }
    });
}

/// A block that nobody else holds, with any content.
pub(crate) fn take_block() -> Arc<Block> {
    BLOCKS
        .try_with(|blocks| blocks.borrow_mut().pop())
        .ok()
        .flatten()
        .unwrap_or_default()
}

/// Gives a block back, if there is one, unless somebody else still holds it: then the last holder does.
pub(crate) fn give_block(block: impl Into<Option<Arc<Block>>>) {
    let Some(block) = block.into() else { return };
    if Arc::strong_count(&block) > 1 || block.capacity() > LARGEST_BLOCK {
        return;
    }
    // The thread may be ending: then the block is simply dropped.
    let _ = BLOCKS.try_with(|blocks| {
        let mut blocks = blocks.borrow_mut();
        if blocks.len() < KEPT {
            blocks.push(block);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block comes back once nobody holds it, and a large one does not: an idle connection may get it.
    #[test]
    fn blocks_come_back_alone_and_small() {
        let filled = |bytes: usize| {
            let mut block = Arc::new(Block::default());
            Arc::make_mut(&mut block).fill(&vec![b'x'; bytes]);
            block
        };
        let kept = || BLOCKS.with_borrow(Vec::len);
        let block = filled(100);
        give_block(Arc::clone(&block));
        assert_eq!(kept(), 0, "somebody has it");
        give_block(block);
        assert_eq!(kept(), 1);
        give_block(filled(LARGEST_BLOCK + 1));
        assert_eq!(kept(), 1, "it is large");
        assert_eq!(Arc::strong_count(&take_block()), 1);
        for _ in 0..2 * KEPT {
            give_block(filled(10));
        }
        assert_eq!(kept(), KEPT);
    }
}
