//! `callgate schema`: the JSON Schema of flow files.

use super::{Exit, print};
use crate::flow::schema::schema;

pub(super) const EXAMPLES: &str = "\
Example:
  callgate schema > callgate.schema.json

A flow whose first line is `#:schema ../callgate.schema.json` is then checked by Taplo.";

pub(super) fn run() -> Exit {
    let text = serde_json::to_string_pretty(&schema()).unwrap_or_default();
    print(&format!("{text}\n"));
    Exit::Well
}
