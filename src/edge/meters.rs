//! How many requests were answered, and how fast. The handle of each series is looked up once and kept: to find it by its
//! name and labels, these must be copied, and a handshake is not much longer than that.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use axum::http::StatusCode;
use metrics::{Counter, Histogram, counter, histogram};

use crate::telemetry::names::{HTTP_REQUEST_SECONDS, HTTP_REQUESTS_TOTAL};

/// The series by route: a few templates, each with a few methods and statuses.
#[derive(Default)]
pub(super) struct Meters(RwLock<HashMap<String, Meter>>);

struct Meter {
    seconds: Histogram,
    answers: Vec<(Answer, Counter)>,
}

/// What an answer is counted by.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Answer {
    /// The method, if it is a known one.
    pub(super) method: &'static str,
    pub(super) status: StatusCode,
}

impl Meters {
    /// Counts one answer of a route.
    pub(super) fn count(&self, route: &str, answer: Answer, took: Duration) {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if known.get(route).is_some_and(|meter| meter.count(answer, took)) {
            return;
        }
        drop(known);
        let mut meters = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let meter = meters.entry(route.to_owned()).or_insert_with(|| Meter::new(route));
        meter.add(route, answer);
        meter.count(answer, took);
    }
}

impl Meter {
    fn new(route: &str) -> Self {
        Self { seconds: histogram!(HTTP_REQUEST_SECONDS, "route" => route.to_owned()), answers: Vec::new() }
    }

    /// Whether this kind of answer was known.
    fn count(&self, answer: Answer, took: Duration) -> bool {
        let Some((_, total)) = self.answers.iter().find(|(known, _)| *known == answer) else { return false };
        total.increment(1);
        self.seconds.record(took.as_secs_f64());
        true
    }

    fn add(&mut self, route: &str, answer: Answer) {
        if self.answers.iter().all(|(known, _)| *known != answer) {
            let Answer { method, status } = answer;
            let labels =
                [("method", method.to_owned()), ("route", route.to_owned()), ("status", status.as_str().to_owned())];
            self.answers.push((answer, counter!(HTTP_REQUESTS_TOTAL, &labels)));
        }
    }
}
