//! Log lines: which, and in which form.

use tracing::Subscriber;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Layer};

use super::TelemetryError;
use super::escape::OneLine;
use crate::config::{LogConfig, LogFormat};

/// Libraries that put what customers write into their own lines at low levels; they stay below that, whatever is asked.
const TALKATIVE: &str =
    "tungstenite=info,tokio_tungstenite=info,hyper=info,hyper_util=info,h2=info,reqwest=info,async_openai=off";

/// A layer that writes to `out`.
pub(super) fn layer<S, W>(config: &LogConfig, out: W) -> Result<Box<dyn Layer<S> + Send + Sync>, TelemetryError>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = EnvFilter::try_new(directives(&config.level))?;
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(OneLine(out));
    Ok(match config.format {
        LogFormat::Readable => lines.with_filter(filter).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).with_filter(filter).boxed(),
    })
}

/// A plain level is meant for Onya: libraries are heard from `info` upwards, and ractor, which reports every start of an
/// actor, from `warn` upwards. A list goes before this.
fn directives(level: &str) -> String {
    let level = level.to_ascii_lowercase();
    if level.contains(['=', ',']) {
        return format!("ractor=warn,{level},{TALKATIVE}");
    }
    let libraries = if matches!(level.as_str(), "debug" | "trace") { "info" } else { &level };
    let ractor = if matches!(level.as_str(), "error" | "off") { &level } else { "warn" };
    let talkative = if matches!(level.as_str(), "debug" | "trace" | "info") { TALKATIVE } else { "async_openai=off" };
    format!("{libraries},onya={level},ractor={ractor},{talkative}")
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(level: &str, format: LogFormat, run: impl FnOnce()) -> String {
        let memory = Memory::default();
        let out = memory.clone();
        let layer = layer(&LogConfig { level: level.to_owned(), format }, move || out.clone()).unwrap();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), run);
        let bytes = memory.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    fn hostile_event() {
        let value = "x\n2026-01-01 ERROR forged\u{1b}[31m\u{202e}";
        tracing::info!(value, shown = %value, "said {value}");
    }

    #[test]
    fn a_hostile_value_stays_on_its_line_in_both_formats() {
        let readable = logged("info", LogFormat::Readable, hostile_event);
        assert_eq!(readable.matches('\n').count(), 1, "{readable}");
        assert!(readable.contains("INFO") && !readable.contains(['\u{1b}', '\u{202e}']), "{readable}");

        let json = logged("info", LogFormat::Json, hostile_event);
        assert_eq!(json.matches('\n').count(), 1, "{json}");
        assert!(!json.contains(['\u{1b}', '\u{202e}']), "{json}");
        let event: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(event["level"], "INFO");
        assert!(event["value"].as_str().unwrap().ends_with("\u{1b}[31m\u{202e}"));
    }

    fn talk() {
        tracing::trace!(target: "onya::edge", "ours");
        tracing::trace!(target: "onya_actors::connection", "actors");
        tracing::trace!(target: "tungstenite::protocol", "canary");
        tracing::error!(target: "async_openai::client", "canary");
        tracing::debug!(target: "hyper::proto", "canary");
        tracing::info!(target: "ractor::actor", "noise");
        tracing::info!(target: "sqlx", "library");
    }

    #[test]
    fn at_trace_the_own_modules_are_heard_and_no_library_tells_what_customers_write() {
        for level in ["trace", "TRACE", "trace,onya=trace"] {
            let lines = logged(level, LogFormat::Readable, talk);
            assert!(lines.contains("ours") && lines.contains("actors") && lines.contains("library"), "{lines}");
            assert!(!lines.contains("canary") && !lines.contains("noise"), "{lines}");
        }
    }

    #[test]
    fn at_error_only_errors_are_logged() {
        let lines = logged("error", LogFormat::Readable, || {
            talk();
            tracing::warn!(target: "ractor", "warning");
            tracing::error!(target: "onya", "failure");
        });
        assert_eq!(lines.matches('\n').count(), 1, "{lines}");
        assert!(lines.contains("ERROR") && lines.contains("failure"), "{lines}");
    }
}
