//! Memory of pages that are done with, for later ones: new memory would be cleared for each
//! page, and be given back to the system and had from it again.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use parquet::errors::Result;

/// The most that is kept for later pages, in bytes.
const FREE_BYTES_MAX: usize = 8 << 20;

/// Pages of one column are about as large. Sizes are rounded up to this part of a power of two,
/// and memory is used for no page of less than half its size.
const SIZE_STEPS: usize = 8;

/// The memory of pages. A clone shares it.
#[derive(Clone, Debug, Default)]
pub struct PagePool(Arc<Mutex<Vec<Bytes>>>);

impl PagePool {
    /// A page of this many bytes, which `fill` writes, all of them.
    ///
    /// # Errors
    /// Whatever `fill` returns.
    pub(super) fn page(
        &self,
        bytes: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<()>,
    ) -> Result<Bytes> {
        let mut memory = self.free(bytes).unwrap_or_else(|| BytesMut::zeroed(room(bytes)));
        fill(&mut memory[..bytes])?;
        let memory = memory.freeze();
        let page = memory.slice(..bytes);
        // Nothing that is done with the lock can leave it half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
        Ok(page)
    }

    /// Memory for this many bytes that nobody else looks at any more.
    fn free(&self, bytes: usize) -> Option<BytesMut> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sizes = bytes..=room(bytes).saturating_mul(2);
        let fits = |memory: &Bytes| sizes.contains(&memory.len()) && memory.is_unique();
        // The last one is in a cache.
        let best =
            (0..all.len()).rev().filter(|&at| fits(&all[at])).min_by_key(|&at| all[at].len());
        let best = best.map(|at| all.remove(at));
        let free = all.iter().filter(|memory| memory.is_unique());
        let mut free_bytes: usize = free.map(Bytes::len).sum();
        all.retain(|memory| {
            let is_kept = free_bytes <= FREE_BYTES_MAX || !memory.is_unique();
            if !is_kept {
                free_bytes = free_bytes.saturating_sub(memory.len());
            }
            is_kept
        });
        best?.try_into_mut().ok()
    }
}

/// What is set aside for a page of this many bytes.
fn room(bytes: usize) -> usize {
    let step = (bytes.max(SIZE_STEPS).next_power_of_two() / (2 * SIZE_STEPS)).max(1);
    bytes.next_multiple_of(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(pool: &PagePool, bytes: usize, byte: u8) -> Bytes {
        let fill = |page: &mut [u8]| {
            assert_eq!(page.len(), bytes);
            page.fill(byte);
            Ok(())
        };
        pool.page(bytes, fill).expect("filled")
    }

    fn kept(pool: &PagePool) -> usize {
        pool.0.lock().expect("sound").iter().map(Bytes::len).sum()
    }

    #[test]
    fn memory_is_used_again_when_nobody_looks_at_it() {
        let pool = PagePool::default();
        let first = page(&pool, 1_000_000, 1);
        let second = page(&pool, 1_000_000, 2);
        assert!(first.iter().all(|&byte| byte == 1), "another page does not touch it");
        let (part, at) = (first.slice(10..20), first.as_ptr());
        drop(first);
        let third = page(&pool, 1_000_000, 3);
        assert_ne!(third.as_ptr(), at, "a part of it is still looked at");
        drop(part);
        // Somewhat larger, and in the same memory.
        let fourth = page(&pool, 1_010_000, 4);
        assert_eq!((fourth.as_ptr(), fourth.len()), (at, 1_010_000));
        assert!(second.iter().all(|&byte| byte == 2));
        let held = room(1_000_000);
        assert_eq!(kept(&pool), 3 * held);
        drop((second, third, fourth));
        page(&pool, 1_000, 5);
        assert_eq!(kept(&pool), 3 * held + room(1_000), "it is not used for a small page");
    }

    #[test]
    fn little_is_kept_for_later() {
        let pool = PagePool::default();
        let pages: Vec<_> = (0..40).map(|at| page(&pool, 1 << 20, at)).collect();
        assert_eq!(kept(&pool), 40 << 20);
        drop(pages);
        page(&pool, 1 << 20, 0);
        let with_this = (1 << 20) + FREE_BYTES_MAX;
        assert_eq!(kept(&pool), with_this);
        page(&pool, 20 << 20, 0);
        page(&pool, 1 << 20, 0);
        assert!(kept(&pool) <= with_this, "{}", kept(&pool));
    }

    #[test]
    fn what_is_not_filled_is_let_go() {
        let pool = PagePool::default();
        let error = parquet::errors::ParquetError::General("cut short".to_owned());
        assert!(pool.page(100, |_| Err(error)).is_err());
        assert_eq!((kept(&pool), page(&pool, 0, 0).len()), (0, 0));
    }

    #[test]
    fn a_little_room_is_left() {
        for bytes in (0..5_000).chain([1 << 20, (1 << 20) + 1, 3 << 20, usize::MAX / 8]) {
            let room = room(bytes);
            assert!(room >= bytes && room - bytes <= bytes / SIZE_STEPS, "{bytes} {room}");
        }
    }
}
