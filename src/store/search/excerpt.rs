//! The part of a text around its hits, with the hits marked.

use std::ops::Range;

use onya_actors::ports::Piece;

use super::words::{Wanted, split};

/// Text that is shown before the first hit, in bytes.
const BEFORE: usize = 60;
/// Longest excerpt, in bytes; a character that begins in it is shown whole.
const LENGTH: usize = 240;

/// Cuts the excerpt. The pieces in order are the text from its first hit's surroundings on; a cut end is marked by `…`.
pub(in crate::store) fn excerpt(text: &str, wanted: &[Wanted]) -> Vec<Piece> {
    let mut hits = split(text, true)
        .filter(|word| wanted.iter().any(|wanted| wanted.matches(&word.text)))
        .map(|word| word.at)
        .peekable();
    let first = hits.peek().map_or(0, |hit| hit.start);
    let start = word_begins(text, first.saturating_sub(BEFORE), first);
    let end = text.ceil_char_boundary(start.saturating_add(LENGTH).min(text.len()));
    let mut pieces = Vec::new();
    let mut at = start;
    if start > 0 {
        push(&mut pieces, "…", false);
    }
    for Range { start: from, end: to } in hits.take_while(|hit| hit.start < end) {
        // Pairs of characters overlap.
        let (from, to) = (from.max(at), to.min(end));
        if from < to {
            push(&mut pieces, &text[at..from], false);
            push(&mut pieces, &text[from..to], true);
            at = to;
        }
    }
    push(&mut pieces, &text[at..end], false);
    if end < text.len() {
        push(&mut pieces, "…", false);
    }
    pieces
}

/// The first place from `from` on, before `until`, where a word begins; `from` if it is the text's beginning.
fn word_begins(text: &str, from: usize, until: usize) -> usize {
    let from = text.floor_char_boundary(from);
    if from == 0 {
        return 0;
    }
    let before = &text[from..until];
    before.char_indices().find(|(_, c)| c.is_whitespace()).map_or(from, |(at, c)| from + at + c.len_utf8())
}

fn push(pieces: &mut Vec<Piece>, text: &str, hit: bool) {
    if text.is_empty() {
        return;
    }
    match pieces.last_mut() {
        Some(last) if last.hit == hit => last.text.push_str(text),
        _ => pieces.push(Piece { text: text.to_owned(), hit }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::words::wanted;
    use super::*;

    fn marked(text: &str, query: &str) -> String {
        let pieces = excerpt(text, &wanted(query));
        pieces.iter().map(|piece| if piece.hit { format!("[{}]", piece.text) } else { piece.text.clone() }).collect()
    }

    #[test]
    fn hits_are_marked_as_they_are_written() {
        assert_eq!(marked("Where is my Parcel, or parcels?", "parcel"), "Where is my [Parcel], or [parcels]?");
        assert_eq!(marked("Un CAFÉ crème", "cafe"), "Un [CAFÉ] crème");
        assert_eq!(marked("我的包裹在哪里", "包裹在"), "我的[包裹在]哪里");
        assert_eq!(marked("nothing of it", "else"), "nothing of it");
    }

    #[test]
    fn a_long_text_is_cut_around_its_first_hit() {
        let text = format!("{} needle {}", "hay ".repeat(100), "straw ".repeat(100));
        let found = marked(&text, "needle");
        assert!(found.starts_with("…hay hay") && found.contains(" [needle] straw") && found.ends_with('…'), "{found}");
        assert!(found.len() < LENGTH + 20);
    }

    proptest! {
        #[test]
        fn an_excerpt_is_part_of_the_text(text in "\\PC{0,400}", query in "\\PC{1,5}") {
            let pieces = excerpt(&text, &wanted(&query));
            let joined: String = pieces.iter().map(|piece| piece.text.as_str()).collect();
            let inner = joined.strip_prefix('…').filter(|_| !text.starts_with('…')).unwrap_or(&joined);
            let inner = inner.strip_suffix('…').filter(|_| !text.ends_with('…')).unwrap_or(inner);
            prop_assert!(text.contains(inner), "{joined:?}");
        }
    }
}
