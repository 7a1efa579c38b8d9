#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| csp::__private::fuzzed::frames(bytes));
