//! Sections that the documentation of public items must have.

use std::path::Path;

use serde_json::Value;

use crate::Result;

/// Returns the public `async` functions of a package whose documentation does not say what happens when they are dropped.
pub(crate) fn without_cancel_safety(folder: &Path, package: &str) -> Result<Vec<String>> {
    let description = folder.join(format!("{}.json", package.replace('-', "_")));
    let described = serde_json::from_slice(&std::fs::read(description)?)?;
    Ok(lacking(&described))
}

fn lacking(described: &Value) -> Vec<String> {
    let items = described["index"].as_object();
    let items = items.into_iter().flat_map(|index| index.values());
    let is_lacking = |item: &&Value| {
        item["crate_id"] == 0
            && item["visibility"] == "public"
            && item["inner"]["function"]["header"]["is_async"] == true
            && !is_generated(item)
            && !item["docs"]
                .as_str()
                .is_some_and(|docs| docs.contains(SECTION))
    };
    let mut lacking: Vec<_> = items.filter(is_lacking).map(place).collect();
    lacking.sort_unstable();
    lacking
}

/// Returns whether an item was made of the protobuf files.
fn is_generated(item: &Value) -> bool {
    let file = item["span"]["filename"].as_str();
    file.is_some_and(|file| file.contains("/generated/"))
}

fn place(item: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let span = &item["span"];
    format!(
        "{}:{}: the async function `{}` has no section `{SECTION}`",
        text(&span["filename"]),
        span["begin"][0],
        text(&item["name"])
    )
}

const SECTION: &str = "# Cancel safety";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn public_async_functions_have_the_section() {
        let function = |name: &str, visibility: &str, is_async: bool, docs: &str| {
            json!({
                "crate_id": 0,
                "name": name,
                "visibility": visibility,
                "docs": docs,
                "span": { "filename": "src/lib.rs", "begin": [7, 5] },
                "inner": { "function": { "header": { "is_async": is_async } } },
            })
        };
        let described = json!({ "index": {
            "1": function("bare", "public", true, "Does it."),
            "2": function("whole", "public", true, "Does it.\n\n# Cancel safety\n\nYes."),
            "3": function("sync", "public", false, "Does it."),
            "4": function("of_a_trait", "default", true, "Does it."),
            "5": { "crate_id": 0, "visibility": "public", "docs": "A module.", "inner": { "module": {} } },
        } });
        assert_eq!(
            lacking(&described),
            ["src/lib.rs:7: the async function `bare` has no section `# Cancel safety`"]
        );
    }
}
