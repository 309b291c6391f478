//! Times as people read them, in UTC: whoever reads a transcript may be anywhere.

use onya_core::Timestamp;

/// `2026-01-31 09:05:07 UTC`.
pub(super) fn utc(at: Timestamp) -> String {
    let iso = at.to_string();
    match iso.split_once('T').zip(iso.split_once('.')) {
        Some(((date, _), (until_second, _))) => format!("{date} {} UTC", &until_second[date.len() + 1..]),
        None => iso,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_as_exact_as_people_need_it() {
        assert_eq!(utc(Timestamp(1_767_225_661_007)), "2026-01-01 00:01:01 UTC");
    }
}
