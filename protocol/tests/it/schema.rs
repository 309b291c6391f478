//! The JSON Schema of the frames, generated from the types and checked in.

use std::path::PathBuf;

use onya_protocol::{CustomerFrame, ServerFrame, StaffFrame};
use schemars::{JsonSchema, schema_for};

use crate::documents::docs;

const REWRITE: &str = "ONYA_WRITE_SCHEMA";

fn compare<F: JsonSchema>(name: &str) {
    let generated = format!("{}\n", serde_json::to_string_pretty(&schema_for!(F)).unwrap());
    let path: PathBuf = docs().join("schema").join(format!("{name}.json"));
    if std::env::var_os(REWRITE).is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &generated).unwrap();
    }
    let checked_in = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        checked_in == generated,
        "{} is not what the types say. To write it: {REWRITE}=1 cargo test -p onya-protocol schema",
        path.display()
    );
}

#[test]
fn the_checked_in_schema_is_that_of_the_types() {
    compare::<CustomerFrame>("customer-frame");
    compare::<StaffFrame>("staff-frame");
    compare::<ServerFrame>("server-frame");
}
