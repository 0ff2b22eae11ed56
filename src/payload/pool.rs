//! Message boxes, and blocks of received heads, that a thread keeps for reuse.
//!
//! A payload is one box. Taking it from the pool and giving it back costs a few instructions; an allocation costs a
//! hundred. The box keeps the memory of its header block, and the head that it was lent last (`lent.rs`).

use std::sync::Arc;

use super::block::Block;
use super::message::Message;
use super::spare::Spare;

/// How many boxes a thread keeps.
const KEPT: usize = 64;

/// A box whose header memory grew beyond this goes back to the allocator.
const LARGEST: usize = 4096;

/// A block that grew beyond this goes back to the allocator. It is less than for a box, because an idle connection
/// holds the block of its last head, which another connection may have made grow.
const LARGEST_BLOCK: usize = 1024;

thread_local! {
    static POOL: Spare<Box<Message>> = const { Spare::new(KEPT) };
    static BLOCKS: Spare<Arc<Block>> = const { Spare::new(KEPT) };
}

/// An empty message.
pub(super) fn take() -> Box<Message> {
    Spare::take_from(&POOL).unwrap_or_default()
}

/// Gives a message back, cleared.
pub(super) fn give(mut message: Box<Message>) {
    if message.headers.capacity() <= LARGEST {
        message.clear();
        Spare::give_to(&POOL, message);
    }
}

/// A block that nobody else holds, with any content.
pub(crate) fn take_block() -> Arc<Block> {
    Spare::take_from(&BLOCKS).unwrap_or_default()
}

/// Gives a block back, if there is one, unless somebody else still holds it: then the last holder gives it back.
pub(crate) fn give_block(block: impl Into<Option<Arc<Block>>>) {
    let Some(block) = block.into() else { return };
    if Arc::strong_count(&block) == 1 && block.capacity() <= LARGEST_BLOCK {
        Spare::give_to(&BLOCKS, block);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block is kept once nobody else holds it. A large one is not, because an idle connection may get it.
    #[test]
    fn blocks_come_back_alone_and_small() {
        let filled = |bytes: usize| {
            let mut block = Arc::new(Block::default());
            Arc::make_mut(&mut block).fill(&vec![b'x'; bytes]);
            block
        };
        let kept = || BLOCKS.with(Spare::len);
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
