//! Owns the program that libFuzzer drives. `FUZZ_TARGET` names the target.
#![no_main]
#![expect(clippy::disallowed_methods, reason = "libFuzzer owns the command line")]

use std::sync::LazyLock;

use casting_fuzz::Target;
use libfuzzer_sys::fuzz_target;

static TARGET: LazyLock<&'static Target> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    casting_fuzz::named(&name).unwrap_or_else(|| {
        eprintln!("FUZZ_TARGET must be one of: {}", casting_fuzz::names());
        std::process::exit(2);
    })
});

fuzz_target!(|data: &[u8]| {
    (TARGET.run)(data);
});
