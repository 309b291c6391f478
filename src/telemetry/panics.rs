//! A panic is a bug, and is logged like one, by its place only.

/// Replaces the standard report: it would be several lines, and the text of a panic can quote what a customer wrote
/// (a slice out of bounds shows the string).
pub(super) fn report_without_payload() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let thread = std::thread::current();
        tracing::error!(place, thread = thread.name().unwrap_or("unnamed"), "panicked");
    }));
}
