//! From a text to the words it is found by. The one tokenizer, for texts and for queries, on both databases: they are
//! given words and compare bytes, so that both find the same.
//!
//! A word is a run of letters, digits and marks, without case and without accents: `Ångström's` has the words `angstrom`
//! and `s`. Scripts that are written without spaces between words (Chinese, Japanese, Thai …) have pairs of characters
//! in place of words. There is no stemming: no rule fits every language; words of a query match what begins with them.

use std::collections::BTreeSet;
use std::ops::Range;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// Longest word that is told from longer ones, in characters.
const MAX_WORD_CHARS: usize = 32;
/// Most different words of one text that are kept.
const MAX_WORDS: usize = 4_096;
/// A word of a query that has so many characters matches what begins with it; a shorter one would match too much.
const MIN_PREFIX_CHARS: usize = 3;

/// A word of a text, and where it stands there, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) at: Range<usize>,
}

/// A word of a query.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::store) struct Wanted {
    /// Letters, digits and marks only.
    pub(in crate::store) text: String,
    /// Whether a word that goes on after it matches too.
    pub(in crate::store) prefix: bool,
}

impl Wanted {
    /// Whether a word of a text is meant.
    pub(super) fn matches(&self, word: &str) -> bool {
        if self.prefix { word.starts_with(&self.text) } else { word == self.text }
    }
}

/// The different words of a text, in order, joined by spaces; empty if it has none.
pub(in crate::store) fn indexed(text: &str) -> String {
    let mut words = BTreeSet::new();
    for word in split(text, true) {
        if words.len() == MAX_WORDS {
            break;
        }
        words.insert(word.text);
    }
    words.into_iter().collect::<Vec<_>>().join(" ")
}

/// The words of a query, each once.
pub(super) fn wanted(query: &str) -> Vec<Wanted> {
    let wanted = split(query, false).map(|word| {
        let chars = word.text.chars().count();
        let unspaced = word.text.chars().next().is_some_and(is_unspaced);
        let prefix = if unspaced { chars == 1 } else { chars >= MIN_PREFIX_CHARS };
        Wanted { text: word.text, prefix }
    });
    wanted.collect::<BTreeSet<_>>().into_iter().collect()
}

/// The words of a text in their order. In a text, as against a query, the last character of a run without spaces counts
/// alone as well, so that a single one is found wherever it stands.
pub(super) fn split(text: &str, whole: bool) -> impl Iterator<Item = Word> {
    runs(text).flat_map(move |run| {
        let part = &text[run.clone()];
        if part.chars().next().is_some_and(is_unspaced) { pairs(part, run.start, whole) } else { word(part, run) }
    })
}

/// Runs of characters that belong together: a word, or a stretch without spaces.
fn runs(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut rest = text.char_indices().peekable();
    std::iter::from_fn(move || {
        while rest.next_if(|(_, c)| !is_part(*c)).is_some() {}
        let (start, first) = rest.next()?;
        let (mut end, unspaced) = (start + first.len_utf8(), is_unspaced(first));
        while let Some((at, c)) =
            rest.next_if(|(_, c)| is_part(*c) && (is_unspaced(*c) == unspaced || is_combining_mark(*c)))
        {
            end = at + c.len_utf8();
        }
        Some(start..end)
    })
}

fn word(part: &str, at: Range<usize>) -> Vec<Word> {
    // Most words of most texts; the long way would make the same of them.
    let text: String = if part.is_ascii() {
        part.chars().take(MAX_WORD_CHARS).map(|c| c.to_ascii_lowercase()).collect()
    } else {
        folded(part).take(MAX_WORD_CHARS).collect()
    };
    if text.is_empty() { Vec::new() } else { vec![Word { text, at }] }
}

/// Each character with the one after it.
fn pairs(part: &str, start: usize, whole: bool) -> Vec<Word> {
    let chars: Vec<(usize, char)> = part.char_indices().collect();
    let pair = |(place, (at, c)): (usize, &(usize, char))| {
        let next = chars.get(place + 1);
        if next.is_none() && !whole && chars.len() > 1 {
            return None;
        }
        let end = next.map_or(at + c.len_utf8(), |(at, c)| at + c.len_utf8());
        let text = std::iter::once(*c).chain(next.map(|(_, c)| *c)).nfkc().filter(|c| is_part(*c)).collect();
        Some(Word { text, at: start + at..start + end })
    };
    chars.iter().enumerate().filter_map(pair).filter(|word| !word.text.is_empty()).collect()
}

/// Without case, accents and forms of letters that mean the same.
fn folded(part: &str) -> impl Iterator<Item = char> {
    part.nfkd()
        .filter(|c| is_part(*c) && !is_accent(*c))
        .flat_map(char::to_lowercase)
        .flat_map(simplified)
        .filter(|c| !is_accent(*c))
}

/// Letters that no decomposition takes apart.
fn simplified(c: char) -> impl Iterator<Item = char> {
    let (first, second) = match c {
        'ß' => ('s', Some('s')),
        'æ' => ('a', Some('e')),
        'œ' => ('o', Some('e')),
        'þ' => ('t', Some('h')),
        'ø' => ('o', None),
        'ł' => ('l', None),
        'đ' | 'ð' => ('d', None),
        'ħ' => ('h', None),
        'ŧ' => ('t', None),
        'ı' => ('i', None),
        'ς' => ('σ', None),
        c => (c, None),
    };
    std::iter::once(first).chain(second)
}

fn is_part(c: char) -> bool {
    c.is_alphanumeric() || is_combining_mark(c)
}

/// Marks that writers leave out: accents, Hebrew points, Arabic vowels and the lengthening stroke. Marks of other scripts
/// are as good as letters.
const fn is_accent(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{591}'..='\u{5c7}' | '\u{610}'..='\u{61a}' | '\u{640}'
        | '\u{64b}'..='\u{65f}' | '\u{670}' | '\u{6d6}'..='\u{6ed}')
}

/// Scripts without spaces between words.
const fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3040}'..='\u{30ff}'
        | '\u{31f0}'..='\u{31ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'
        | '\u{ff66}'..='\u{ff9f}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(text: &str) -> Vec<String> {
        split(text, true).map(|word| word.text).collect()
    }

    #[test]
    fn words_have_neither_case_nor_accents() {
        let table: [(&str, &[&str]); 13] = [
            ("Where's my PARCEL?", &["where", "s", "my", "parcel"]),
            ("Ångström, naïve CAFÉ", &["angstrom", "naive", "cafe"]),
            ("cafe\u{301}", &["cafe"]),
            ("Straße STRASSE Łódź Øre", &["strasse", "strasse", "lodz", "ore"]),
            ("ΟΔΥΣΣΕΎΣ οδυσσεύς", &["οδυσσευσ", "οδυσσευσ"]),
            ("İstanbul ISTANBUL ıstanbul", &["istanbul", "istanbul", "istanbul"]),
            ("Ёлка ёлка елка", &["елка", "елка", "елка"]),
            ("مُحَمَّد محمد", &["محمد", "محمد"]),
            ("שָׁלוֹם שלום", &["שלום", "שלום"]),
            ("हिन्दी", &["हिन्दी"]),
            ("ﬁne ½ №5 ①", &["fine", "12", "5", "1"]),
            ("order-no 10_42, a@b.example", &["order", "no", "10", "42", "a", "b", "example"]),
            ("… — \u{200b}\u{202e}\"'", &[]),
        ];
        for (text, expected) in table {
            assert_eq!(words(text), expected, "{text}");
        }
    }

    #[test]
    fn scripts_without_spaces_have_pairs() {
        assert_eq!(words("我的包裹 ok"), ["我的", "的包", "包裹", "裹", "ok"]);
        assert_eq!(words("東京Tower"), ["東京", "京", "tower"]);
        let query = |text| wanted(text).into_iter().map(|word| (word.text, word.prefix)).collect::<Vec<_>>();
        assert_eq!(query("的包裹"), [("包裹".to_owned(), false), ("的包".to_owned(), false)]);
        assert_eq!(query("裹"), [("裹".to_owned(), true)]);
        assert_eq!(
            query("Par parcel no PARCEL"),
            [("no".to_owned(), false), ("par".to_owned(), true), ("parcel".to_owned(), true)]
        );
    }

    #[test]
    fn a_text_without_end_has_an_index_with_one() {
        assert_eq!(words(&"x".repeat(100_000)), ["x".repeat(MAX_WORD_CHARS)]);
        let many = (0..100_000).map(|number| format!("w{number} ")).collect::<String>();
        assert_eq!(indexed(&many).split(' ').count(), MAX_WORDS);
        assert_eq!(indexed("?!"), "");
    }

    proptest! {
        /// The databases are given words only, so nothing that a query says can be taken for their syntax.
        #[test]
        fn a_word_is_letters_digits_and_marks_whatever_the_text_holds(text in "\\PC{0,60}|[\"'*:&|!()<>\\\\%-]{0,20}") {
            for word in split(&text, true) {
                prop_assert!(!word.text.is_empty() && word.text.chars().all(is_part), "{word:?}");
                prop_assert!(text.get(word.at.clone()).is_some_and(|part| !part.is_empty()), "{word:?}");
            }
        }

        #[test]
        fn the_short_way_makes_the_same_of_a_word(text in "[A-Za-z0-9]{1,40}") {
            prop_assert_eq!(&words(&text)[0], &folded(&text).take(MAX_WORD_CHARS).collect::<String>());
        }

        #[test]
        fn a_text_is_found_by_each_of_its_words(text in "\\PC{0,60}") {
            let indexed: BTreeSet<_> = words(&text).into_iter().collect();
            for wanted in wanted(&text) {
                prop_assert!(indexed.iter().any(|word| wanted.matches(word)), "{wanted:?} in {indexed:?}");
            }
        }
    }
}
