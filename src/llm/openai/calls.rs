//! Tool calls, put together from their pieces.
//!
//! A piece belongs to the call with its id, else to the latest call with its index, else to the current call. An id
//! that is new begins a new call, also at an index that is taken. Nothing is looked at before the reply has ended.

use super::chunk::{Arguments, ToolDelta};
use crate::llm::tool::{self, HumanRequest};

/// Most calls in one reply.
const MAX_CALLS: usize = 16;

/// The calls of one reply.
#[derive(Debug, Default)]
pub(super) struct Calls(Vec<Call>);

#[derive(Debug, Default)]
struct Call {
    id: Option<String>,
    index: Option<u64>,
    name: String,
    arguments: String,
}

/// The calls cannot be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadCall;

impl Calls {
    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a piece; how many bytes it had.
    pub(super) fn add(&mut self, piece: ToolDelta) -> Result<usize, BadCall> {
        let function = piece.function.unwrap_or_default();
        let call = self.call(piece.id.filter(|id| !id.is_empty()), piece.index).ok_or(BadCall)?;
        let before = call.name.len() + call.arguments.len();
        if call.name.is_empty() {
            call.name = function.name.unwrap_or_default();
        }
        match function.arguments {
            Some(Arguments::Piece(text)) => call.arguments.push_str(&text),
            Some(Arguments::Whole(value)) if !value.is_null() => call.arguments = value.to_string(),
            Some(Arguments::Whole(_)) | None => {}
        }
        Ok((call.name.len() + call.arguments.len()).saturating_sub(before))
    }

    fn call(&mut self, id: Option<String>, index: Option<u64>) -> Option<&mut Call> {
        let found = match (&id, index) {
            (Some(_), _) => self.0.iter().rposition(|call| call.id == id),
            (None, Some(_)) => self.0.iter().rposition(|call| call.index == index),
            (None, None) => self.0.len().checked_sub(1),
        };
        let position = match found {
            Some(position) => position,
            None if self.0.len() == MAX_CALLS => return None,
            None => {
                self.0.push(Call { id, index, ..Call::default() });
                self.0.len() - 1
            }
        };
        self.0.get_mut(position)
    }

    /// What was asked for; every call has to be whole, and the first one counts.
    pub(super) fn finish(&self) -> Result<HumanRequest, BadCall> {
        let mut requests = self.0.iter().map(|call| match call.name.as_str() {
            tool::NAME => tool::parse(&call.arguments),
            _ => None,
        });
        let first = requests.next().flatten().ok_or(BadCall)?;
        if requests.all(|request| request.is_some()) { Ok(first) } else { Err(BadCall) }
    }
}

#[cfg(test)]
mod tests {
    use onya_core::conversation::Priority;
    use serde_json::{Value, json};

    use super::*;

    fn finish(pieces: Value) -> Result<Vec<String>, BadCall> {
        let mut calls = Calls::default();
        for piece in pieces.as_array().unwrap() {
            calls.add(serde_json::from_value(piece.clone()).unwrap())?;
        }
        let first = calls.finish()?;
        assert_eq!(first.priority, Priority::Normal);
        Ok(calls.0.iter().map(|call| call.arguments.clone()).collect())
    }

    fn piece(id: Value, index: Value, name: Value, arguments: Value) -> Value {
        json!({ "id": id, "index": index, "function": { "name": name, "arguments": arguments } })
    }

    #[test]
    fn pieces_find_their_call_by_id_then_index_then_order() {
        let (none, name) = (Value::Null, json!("request_human"));
        let (open, close) = (json!("{\"summary\":"), json!("\"x\"}"));
        let whole = "{\"summary\":\"x\"}".to_owned();
        let start = |id: &str, index: Value| piece(json!(id), index, name.clone(), open.clone());
        let more = |id: &str, index: Value| piece(json!(id), index, none.clone(), close.clone());
        for (case, pieces, count) in [
            ("by id", json!([start("a", json!(0)), more("a", json!(0))]), 1),
            ("by index", json!([start("a", json!(0)), more("", json!(0))]), 1),
            ("by order", json!([start("a", none.clone()), more("", none.clone())]), 1),
            ("no id at all", json!([start("", json!(0)), more("", json!(0))]), 1),
            (
                "id beats index",
                json!([start("a", json!(0)), start("b", json!(1)), more("a", json!(1)), more("b", json!(0))]),
                2,
            ),
            (
                "new id on a used index",
                json!([start("a", json!(0)), more("", json!(0)), start("b", json!(0)), more("", json!(0))]),
                2,
            ),
            (
                "name repeated",
                json!([start("a", json!(0)), piece(json!("a"), json!(0), name.clone(), close.clone())]),
                1,
            ),
            ("all at once", json!([piece(none.clone(), none.clone(), name.clone(), json!({"summary": "x"}))]), 1),
        ] {
            assert_eq!(finish(pieces).map(|calls| calls.len()), Ok(count), "{case}");
        }
        assert_eq!(finish(json!([start("a", json!(0)), more("a", json!(0))])), Ok(vec![whole]));
    }

    #[test]
    fn half_a_call_an_unknown_tool_and_too_many_calls_are_refused() {
        let name = json!("request_human");
        for pieces in [
            json!([piece(json!("a"), json!(0), name.clone(), json!("{\"summary\":"))]),
            json!([piece(json!("a"), json!(0), json!("delete_everything"), json!("{}"))]),
            json!([
                piece(json!("a"), json!(0), name.clone(), json!("{}")),
                piece(json!("b"), json!(1), name.clone(), json!("{"))
            ]),
            Value::Array((0..17).map(|n| piece(json!(n.to_string()), json!(n), name.clone(), json!("{}"))).collect()),
        ] {
            assert_eq!(finish(pieces.clone()), Err(BadCall), "{pieces}");
        }
    }
}
