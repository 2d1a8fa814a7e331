//! What tests of vectors run through.

use fearless_simd::Level;

/// Every kind of vectors that this processor has, the best first.
pub fn levels() -> Vec<Level> {
    let best = Level::new();
    #[cfg(target_arch = "x86_64")]
    let others = [
        best.as_avx2().map(Level::Avx2),
        best.as_sse4_2().map(Level::Sse4_2),
        best.as_sse2().map(Level::Sse2),
    ];
    #[cfg(not(target_arch = "x86_64"))]
    let others = [Some(Level::baseline())];
    std::iter::once(best).chain(others.into_iter().flatten()).collect()
}
