//! A clock of a server's own, which a test sets.

use super::house::House;

/// What gives a program another clock than the machine's. Those that nobody can set go on as they do when somebody
/// sets that one.
pub(crate) const FAKETIME: [(&str, &str); 3] = [
    ("LD_PRELOAD", "libfaketimeMT.so.1"),
    ("LD_LIBRARY_PATH", "/usr/lib/x86_64-linux-gnu/faketime:/usr/lib/aarch64-linux-gnu/faketime"),
    ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
];

/// From its next start on, the server goes by a clock that [`set_clock`] sets, this far from the machine's.
pub(crate) fn give_a_clock(house: &mut House, offset: &str) {
    set_clock(house, offset);
    for (name, value) in FAKETIME {
        house.set_environment(name, value);
    }
    let clock = house.folder.path().join("clock");
    house.set_environment("FAKETIME_TIMESTAMP_FILE", clock.to_str().unwrap());
    house.set_environment("FAKETIME_NO_CACHE", "1");
}

/// Sets it: `+3600` is an hour ahead of the machine's, `@1969-06-01 00:00:00` then.
pub(crate) fn set_clock(house: &House, to: &str) {
    let beside = house.folder.path().join("clock.new");
    std::fs::write(&beside, format!("{to}\n")).unwrap();
    std::fs::rename(beside, house.folder.path().join("clock")).unwrap();
}
