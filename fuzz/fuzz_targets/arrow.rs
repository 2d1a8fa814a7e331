#![no_main]

#[path = "../targets.rs"]
#[allow(dead_code)]
mod targets;

libfuzzer_sys::fuzz_target!(
    // The crate panics on some files. That becomes an error, and is no find; a panic that
    // leaves the target still is one.
    init: std::panic::set_hook(Box::new(|_| {})),
    |data: &[u8]| targets::arrow(data)
);
