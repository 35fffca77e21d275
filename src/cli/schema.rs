//! `callgate schema`: the JSON Schema of flow files.

use super::{Exit, print};
use crate::flow::schema::schema;

pub(super) fn run() -> Exit {
    let text = serde_json::to_string_pretty(&schema()).unwrap_or_default();
    print(&format!("{text}\n"));
    Exit::Well
}
