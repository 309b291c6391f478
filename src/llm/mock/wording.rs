//! What the mock model says.

use super::chance::Chance;

/// Longest piece of the customer's message that is repeated, in characters.
const MAX_QUOTE: usize = 80;
/// Most words of the customer's message that are repeated.
const MAX_QUOTED_WORDS: usize = 10;

/// The answer to a command it does not know.
pub(super) const COMMANDS: &str = "I am Onya's mock model: I know the commands /mock fail, /mock stall, /mock human, \
    /mock cut N and /mock long N, where N counts tokens up to 100000, and /mock slow N, where N is tokens per second. \
    Say anything else and I answer as usual.";

const MIDDLES: [&str; 4] = [
    "A real model would look into that now, ask for an order number if it needed one, and tell you what happens next.",
    "I cannot look anything up, so take these words as a rehearsal of the answer that a configured model would give.",
    "Nothing here was understood by anybody; the words only show how an answer arrives, piece by piece, at a steady pace.",
    "With a provider configured, the answer to exactly this question would be written here, in your language and to the point.",
];

const CLOSINGS: [&str; 3] = [
    "You can stop me at any time, or ask for a person.",
    "Is there anything else that I should pretend to know?",
    "Ask me again and I will say the same.",
];

/// 30 to 60 words that depend on the message.
pub(super) fn answer(message: &str, seed: u64) -> String {
    let mut chance = Chance::new(seed, message);
    let middle = chance.one_of(&MIDDLES);
    let closing = chance.one_of(&CLOSINGS);
    format!("I am Onya's mock model: you wrote “{}”. {middle} {closing}", quote(message))
}

fn quote(message: &str) -> String {
    let visible: String = message.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    let words: Vec<&str> = visible.split_whitespace().take(MAX_QUOTED_WORDS).collect();
    let quoted: String = words.join(" ").chars().take(MAX_QUOTE).collect();
    let whole = visible.split_whitespace().map(|word| word.chars().count() + 1).sum::<usize>();
    if whole > quoted.chars().count() + 1 { format!("{}…", quoted.trim_end()) } else { quoted }
}
