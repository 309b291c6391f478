//! What must hold of a log once a walk is over.

use std::collections::BTreeMap;

use onya_actors::testing::{StrictReader, broken_turns};
use onya_core::ConversationId;
use onya_core::conversation::{Control, Entry, Event, State};

/// The state that a log leads to.
pub fn state(id: ConversationId, entries: &[Entry]) -> State {
    let mut state = State::open(id, &entries[0]).unwrap();
    entries[1..].iter().for_each(|entry| state.apply(entry));
    state
}

/// Every position once, every question with its end.
pub fn log_is_whole(seed: u64, entries: &[Entry], state: &State) {
    assert_eq!(state.turn, None, "seed {seed}: a turn never ended");
    assert!(!state.unanswered || state.control != Control::Assistant, "seed {seed}: a question was forgotten");
    assert!(entries.iter().enumerate().all(|(at, entry)| entry.seq == at as u64 + 1), "seed {seed}: a gap");
    assert_eq!(broken_turns(entries), Vec::<String>::new(), "seed {seed}");
}

/// What was acknowledged is stored, once, where it was said to be; what was refused is not. `sent` are the texts, `acked`
/// the outcomes of commands without a socket.
pub fn commands_are_kept(
    seed: u64,
    entries: &[Entry],
    readers: &[&StrictReader],
    (sent, acked): (&BTreeMap<String, String>, &BTreeMap<String, u64>),
) {
    let mut stored: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for entry in entries {
        if let Some(key) = &entry.key {
            stored.entry(key.client_msg_id.to_string()).or_default().push(entry.seq);
        }
    }
    assert!(stored.values().all(|seqs| seqs.len() == 1), "seed {seed}: a command is stored twice");
    for (id, seq) in readers.iter().flat_map(|reader| reader.acked.iter()).chain(acked) {
        assert_eq!(stored.get(id), Some(&vec![*seq]), "seed {seed}: {id} was acknowledged");
        if let (Some(text), Event::MessageSaid { text: said, .. }) =
            (sent.get(id), &entries[usize::try_from(*seq).unwrap() - 1].event)
        {
            assert_eq!(text, said, "seed {seed}");
        }
    }
    for (id, code) in readers.iter().flat_map(|reader| reader.refused.iter()) {
        let unknown = *code == onya_protocol::ErrorCode::Unknown;
        assert!(unknown || !stored.contains_key(id), "seed {seed}: {id} was refused with {code} and is stored");
    }
}

/// What a reader was shown is what is stored, to the end.
pub fn reader_saw_the_log(seed: u64, entries: &[Entry], reader: &StrictReader) {
    assert_eq!(reader.cursor().unwrap().seq, entries.len() as u64, "seed {seed}: a reader stayed behind");
    for (seq, shown) in &reader.entries {
        let stored = &entries[usize::try_from(*seq).unwrap() - 1];
        assert_eq!(shown.at, stored.at, "seed {seed}");
        assert_eq!(shown.prev, stored.customer_prev, "seed {seed}");
    }
}
