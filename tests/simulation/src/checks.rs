//! What must hold of a run that is over: linear scans, one for each promise.

use std::collections::BTreeMap;

use onya_actors::testing::broken_turns;
use onya_core::ConversationId;
use onya_core::conversation::{Control, Entry, Event};

use crate::readers::Readers;
use crate::record::{Story, Taking};
use crate::store::Store;

/// Everything that is wrong.
pub(crate) fn broken(store: &Store, story: &Story, readers: &[Readers]) -> Vec<String> {
    let mut broken = story.broken.clone();
    for id in &story.conversations {
        let entries = store.log.entries(*id);
        let mut found = log(&entries);
        found.extend(broken_turns(&entries));
        found.extend(settled(store, *id));
        found.extend(epochs(*id, &entries, story));
        for reader in readers {
            found.extend(reader.of(*id, |shown| shown_log(reader, shown, &entries)));
        }
        broken.extend(found.into_iter().map(|what| format!("{id}: {what}")));
    }
    broken.extend(commands(store, story));
    broken.extend(takings(store, story));
    broken
}

/// Positions are 1 to n.
fn log(entries: &[Entry]) -> Vec<String> {
    let out_of_place = entries.iter().zip(1..).filter(|(entry, seq)| entry.seq != *seq);
    out_of_place.map(|(entry, seq)| format!("{} stands where {seq} should", entry.seq)).collect()
}

/// Every question has its answer or its person.
fn settled(store: &Store, id: ConversationId) -> Option<String> {
    let state = store.log.state(id)?;
    if state.turn.is_some() {
        return Some("a turn is open in the end".to_owned());
    }
    (state.unanswered && state.control == Control::Assistant).then(|| "a question is forgotten".to_owned())
}

/// Epochs never go down along a log.
fn epochs(id: ConversationId, entries: &[Entry], story: &Story) -> Vec<String> {
    let epoch = |entry: &Entry| story.epochs.get(&(id, entry.seq)).copied().unwrap_or_default();
    let down = entries.windows(2).filter(|pair| epoch(&pair[0]) > epoch(&pair[1]));
    down.map(|pair| format!("{} is of an earlier epoch than {}", pair[1].seq, pair[0].seq)).collect()
}

/// What was acknowledged stands where it was said to, once, after what it must not overtake, and as it was said. What was refused
/// each time does not stand there.
fn commands(store: &Store, story: &Story) -> Vec<String> {
    let (mut stored, mut broken) = (BTreeMap::new(), Vec::new());
    for id in &story.conversations {
        for entry in store.log.entries(*id) {
            let Some(key) = entry.key.clone() else { continue };
            if stored.insert((key.participant, key.client_msg_id.to_string()), (*id, entry)).is_some() {
                broken.push(format!("{id}: {} stands there twice", key.client_msg_id));
            }
        }
    }
    for ((who, id), fate) in &story.fates {
        let found = stored.get(&(*who, id.clone())).map(|(conversation, entry)| (*conversation, entry));
        match (fate.acked, found) {
            (Some(seq), None) => broken.push(format!("{id} was acknowledged at {seq} and is not stored")),
            (Some(seq), Some((_, entry))) if entry.seq != seq => {
                broken.push(format!("{id} was acknowledged at {seq} and is stored at {}", entry.seq));
            }
            (None, Some((_, entry))) if fate.sent == fate.refused => {
                broken.push(format!("{id} was refused each time and is stored at {}", entry.seq));
            }
            _ => {}
        }
        let Some((conversation, entry)) = found else { continue };
        if conversation != fate.conversation {
            broken.push(format!("{id} was sent to {} and is stored in {conversation}", fate.conversation));
        }
        if let (Some(said), Event::MessageSaid { text, .. }) = (&fate.text, &entry.event)
            && said != text
        {
            broken.push(format!("{id} said {said:?}, and {text:?} is stored"));
        }
        let before = fate.after.as_ref().and_then(|after| stored.get(&(*who, after.clone())));
        if let Some((_, before)) = before.filter(|(_, before)| before.seq > entry.seq) {
            broken.push(format!("{id} stands at {}, before what was sent before it, at {}", entry.seq, before.seq));
        }
    }
    broken
}

/// Nothing is taken from who lives, an epoch has one owner, and a claim has read all that was stored before it.
fn takings(store: &Store, story: &Story) -> Vec<String> {
    let (mut owners, mut broken) = (BTreeMap::new(), Vec::new());
    for Taking { conversation, epoch, owner, robbed, read } in &story.takings {
        if let Some(robbed) = robbed {
            broken.push(format!("{conversation}: {owner} took it as epoch {epoch} from {robbed}, which was not dead"));
        }
        if let Some(other) = owners.insert((*conversation, *epoch), *owner) {
            broken.push(format!("{conversation}: epoch {epoch} was {other}'s and is {owner}'s"));
        }
        let earlier = |seq: &u64| story.epochs.get(&(*conversation, *seq)).is_none_or(|stored| stored < epoch);
        let newest = store.log.entries(*conversation).iter().map(|entry| entry.seq).filter(earlier).max();
        if newest.unwrap_or_default() != *read {
            broken.push(format!("{conversation}: the claim of epoch {epoch} had read {read} entries of {newest:?}"));
        }
    }
    broken
}

/// What a reader holds is what is stored, to the end.
fn shown_log(reader: &Readers, shown: &onya_actors::testing::StrictReader, entries: &[Entry]) -> Option<String> {
    let visible = entries.iter().filter(|entry| entry.visible_to(reader.view));
    let newest = visible.clone().next_back().map_or(0, |entry| entry.seq);
    let reached = shown.cursor().map_or(0, |cursor| cursor.seq);
    if reached < newest {
        return Some(format!("{} stayed behind at {reached} of {newest}", reader.name));
    }
    let first = shown.entries.keys().next().copied().unwrap_or_default();
    let stored: Vec<_> = visible.map(|entry| entry.seq).filter(|seq| *seq >= first).collect();
    let held: Vec<_> = shown.entries.keys().copied().collect();
    (stored != held).then(|| format!("{} holds {held:?} of {stored:?}", reader.name))
}
