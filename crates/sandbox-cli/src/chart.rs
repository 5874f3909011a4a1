//! Charts on a terminal: saved, named, and their fields listed.

use std::io;
use std::path::{Path, PathBuf};

use sandbox_process::Chart;
use serde_json::{Map, Value, json};

use crate::error::CliError;
use crate::output;

/// A chart with the file that its picture was saved in, if it has one.
#[derive(Debug)]
pub(crate) struct Saved {
    fields: Map<String, Value>,
    path: Option<PathBuf>,
}

/// Points and ticks beyond this many are counted instead of listed.
const LISTED: usize = 6;

/// Saves the pictures of `charts` in `directory`, named after the program's file and numbered from 1.
pub(crate) fn save(
    charts: &[Chart],
    directory: &Path,
    program: &Path,
) -> Result<Vec<Saved>, CliError> {
    let stem = program
        .file_stem()
        .and_then(|stem| stem.to_str())
        .filter(|stem| *stem != "-");
    let stem = stem.unwrap_or("chart");
    let save = |(index, chart): (usize, &Chart)| {
        let path = match chart.png() {
            Some(png) => {
                let path = directory.join(format!("{stem}-{}.png", index + 1));
                write(&path, png).map_err(|source| CliError::SaveChart {
                    path: path.clone(),
                    source,
                })?;
                Some(path)
            }
            None => None,
        };
        let mut fields = match chart.to_json() {
            Value::Object(fields) => fields,
            _ => Map::new(),
        };
        fields.remove("png");
        Ok(Saved { fields, path })
    };
    charts.iter().enumerate().map(save).collect()
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    std::fs::write(path, bytes)
}

/// Lists the charts on standard output.
pub(crate) fn show(charts: &[Saved]) {
    for (index, chart) in charts.iter().enumerate() {
        let mut text = format!("chart {}\n", index + 1);
        list(&mut text, &chart.fields, 1);
        match &chart.path {
            Some(path) => text.extend(["  saved as ", &path.display().to_string(), "\n"]),
            None => text.push_str("  has no picture\n"),
        }
        output::write(io::stdout(), &text);
    }
}

/// The charts for `--json`: their fields, and where the picture is instead of the picture.
pub(crate) fn to_json(charts: &[Saved]) -> Value {
    let object = |chart: &Saved| {
        let mut fields = chart.fields.clone();
        fields.insert("path".to_owned(), json!(chart.path));
        Value::Object(fields)
    };
    charts.iter().map(object).collect()
}

fn list(text: &mut String, fields: &Map<String, Value>, depth: usize) {
    let indent = "  ".repeat(depth);
    for (name, value) in fields {
        text.extend([indent.as_str(), &name.replace('_', " ")]);
        match value {
            Value::Array(elements) if elements.iter().any(Value::is_object) => {
                text.push_str(":\n");
                for element in elements {
                    text.extend([indent.as_str(), "  -\n"]);
                    if let Value::Object(fields) = element {
                        list(text, fields, depth + 2);
                    }
                }
            }
            Value::Array(items) => {
                let listed = items.iter().take(LISTED).map(one_line).collect::<Vec<_>>();
                text.extend([": ", &listed.join(", ")]);
                if items.len() > LISTED {
                    text.extend([", ... (", &items.len().to_string(), " in all)"]);
                }
                text.push('\n');
            }
            value => text.extend([": ", &one_line(value), "\n"]),
        }
    }
}

/// A value without what would break the line.
fn one_line(value: &Value) -> String {
    match value {
        Value::String(text) => text.replace(char::is_control, " "),
        Value::Array(items) => {
            format!(
                "({})",
                items.iter().map(one_line).collect::<Vec<_>>().join(", ")
            )
        }
        value => value.to_string(),
    }
}
