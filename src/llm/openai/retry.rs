//! When to try again: the one retry policy there is.

use std::time::{Duration, SystemTime};

use onya_actors::ports::Random;
use onya_core::Timestamp;
use reqwest::header::{HeaderMap, RETRY_AFTER};

use super::answer::Desk;
use super::fault::{Fault, Retry};

/// The first wait of our choice is at most this long, each next one twice as long, up to the longest; half of each is
/// drawn by lot, so that turns that failed together do not return together.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(8);
/// Longest wait that a provider is granted; a customer is waiting too.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(30);
/// Drawn by lot on top of a provider's wait.
const SPREAD: Duration = Duration::from_millis(250);

/// How long to wait before the next attempt; `None` if there shall be none, because the fault is final, attempts are
/// used up, or the wait would take what is left of the answer's time.
pub(super) fn wait(desk: &Desk, attempts: u32, fault: &Fault, left: Duration) -> Option<Duration> {
    if attempts >= desk.settings.max_attempts {
        return None;
    }
    let wait = match fault.retry {
        Retry::Never => return None,
        Retry::Soon => backoff(attempts, desk.random.as_ref()),
        Retry::After(asked) if asked >= left => return None,
        Retry::After(asked) => asked.min(LONGEST_RETRY_AFTER) + drawn(SPREAD, desk.random.as_ref()),
    };
    (wait < left).then_some(wait)
}

fn backoff(attempts: u32, random: &dyn Random) -> Duration {
    let doublings = attempts.saturating_sub(1).min(16);
    let longest = (FIRST_WAIT * 2_u32.pow(doublings)).min(LONGEST_WAIT);
    longest / 2 + drawn(longest / 2, random)
}

fn drawn(longest: Duration, random: &dyn Random) -> Duration {
    let ms = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(random.below(ms.saturating_add(1)))
}

/// The wait that a provider asks for: `retry-after-ms`, or `Retry-After` as seconds or as an HTTP date, which is
/// compared with `now`. What is none of these is no wish.
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let number = |text: &str| text.parse::<f64>().ok();
    if let Some(ms) = text("retry-after-ms").and_then(number) {
        return Duration::try_from_secs_f64(ms / 1_000.0).ok();
    }
    let wish = text(RETRY_AFTER.as_str())?;
    match number(wish) {
        Some(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        None => {
            let date = httpdate::parse_http_date(wish).ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
            let date = Timestamp(i64::try_from(date.as_millis()).ok()?);
            Some(Duration::from_millis(date.since_ms(now)))
        }
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn a_wish_to_wait_is_understood_in_all_its_forms() {
        // 2026-03-01T12:00:00Z
        let now = Timestamp(1_772_366_400_000);
        for (name, value, expected) in [
            ("retry-after", "3", Some(3_000)),
            ("retry-after", " 1.5 ", Some(1_500)),
            ("retry-after", "0", Some(0)),
            ("retry-after", "Sun, 01 Mar 2026 12:00:20 GMT", Some(20_000)),
            ("retry-after", "Sun, 01 Mar 2026 11:59:00 GMT", Some(0)),
            ("retry-after-ms", "250", Some(250)),
            ("retry-after", "-1", None),
            ("retry-after", "NaN", None),
            ("retry-after", "1e300", None),
            ("retry-after", "soon", None),
            ("x-other", "3", None),
        ] {
            let headers = HeaderMap::from_iter([(name.parse().unwrap(), HeaderValue::from_static(value))]);
            assert_eq!(retry_after(&headers, now), expected.map(Duration::from_millis), "{name}: {value}");
        }
        let both = [("retry-after", "9"), ("retry-after-ms", "90")];
        let both = both.map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)));
        assert_eq!(retry_after(&HeaderMap::from_iter(both), now), Some(Duration::from_millis(90)));
    }
}
