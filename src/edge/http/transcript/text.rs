//! A transcript as plain text. What somebody said is indented, line by line: it cannot pose as a line of the transcript.

use std::fmt::Write as _;

use onya_actors::ports::Summary;
use onya_protocol::LogEntry;

use super::clock::utc;
use super::line::line;

const INDENT: &str = "    ";

pub(super) fn begin(out: &mut String, summary: &Summary) {
    // Writing to a string cannot fail; this holds for the whole file.
    let _ = writeln!(out, "Conversation {}", summary.id);
    let _ = writeln!(out, "Customer     {}", summary.customer);
    let _ = writeln!(out, "Opened       {}", utc(summary.opened_at));
}

pub(super) fn entry(out: &mut String, entry: &LogEntry) {
    let Some(line) = line(entry) else { return };
    let _ = write!(out, "\n[{}] #{} {}", utc(line.at), entry.seq, line.speaker.label());
    if let Some(name) = line.name {
        let _ = write!(out, " {}", shown(name).replace('\n', " "));
    }
    out.push('\n');
    if let Some(said) = line.said {
        for row in shown(said).lines() {
            let _ = writeln!(out, "{INDENT}{row}");
        }
    }
    if let Some(remark) = &line.remark {
        let _ = writeln!(out, "{INDENT}— {remark}");
    }
}

pub(super) fn end(out: &mut String) {
    out.push_str("\nEnd of the transcript.\n");
}

/// Without what would steer a terminal or begin a line that is not indented.
fn shown(text: &str) -> String {
    let plain = text.replace("\r\n", "\n");
    let character = |c: char| match c {
        '\n' | '\t' => c,
        '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => '\n',
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    plain.chars().map(character).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_begins_a_line_or_steers_a_terminal() {
        let hostile = "a\r\n[2026-01-01 00:00:00 UTC] #9 Agent Ada\rb\u{2028}c\u{1b}[2Jd\u{85}e\u{b}f\tg";
        assert_eq!(shown(hostile), "a\n[2026-01-01 00:00:00 UTC] #9 Agent Ada\nb\nc\u{fffd}[2Jd\ne\nf\tg");
    }
}
