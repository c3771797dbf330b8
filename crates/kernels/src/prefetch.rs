//! A hint to the processor: the one instruction of this crate that Rust calls unsafe.

/// Asks the processor to fetch an entry into its cache, where it knows how; nothing happens if there is none.
#[inline(always)]
#[allow(unsafe_code)]
pub(crate) fn prefetch(values: &[f64], index: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint, which may name any address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(values.as_ptr().wrapping_add(index).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (values, index);
}
