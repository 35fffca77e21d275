//! libFuzzer over the checker: see `CONTRIBUTING.md`.
#![no_main]

#[allow(dead_code, reason = "each target is a program of its own")]
#[path = "../../tests/it/fuzz/targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes) {
        targets::checker(text);
    }
});
