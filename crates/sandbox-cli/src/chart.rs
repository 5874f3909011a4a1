//! Charts on a terminal: saved, named, and their fields listed.

use std::io;
use std::path::{Path, PathBuf};

use sandbox_process::{Channel, Chart};
use serde_json::{Map, Value, json};

use sandbox_cli::picture::Protocol;

use crate::error::CliError;
use crate::{output, terminal};

/// A chart with the file that its picture was saved in, if it has one.
#[derive(Debug)]
pub(crate) struct Saved {
    number: usize,
    fields: Map<String, Value>,
    path: Option<PathBuf>,
    png: Option<Vec<u8>>,
}

/// Points and ticks beyond this many are counted instead of listed.
const LISTED: usize = 6;

/// Saves the pictures of `charts` in `directory`, named after the program's file and numbered from `first` on.
pub(crate) fn save(
    charts: &[Chart],
    directory: &Path,
    program: &Path,
    first: usize,
) -> Result<Vec<Saved>, CliError> {
    let stem = program
        .file_stem()
        .and_then(|stem| stem.to_str())
        .filter(|stem| *stem != "-");
    let stem = stem.unwrap_or("chart");
    let save = |(index, chart): (usize, &Chart)| {
        let number = first + index;
        let path = match chart.png() {
            Some(png) => {
                let path = directory.join(format!("{stem}-{number}.png"));
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
        let png = chart.png().map(|png| png.to_vec());
        Ok(Saved {
            number,
            fields,
            path,
            png,
        })
    };
    charts.iter().enumerate().map(save).collect()
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    std::fs::write(path, bytes)
}

/// Lists the charts on standard output, and draws them where that can be done.
pub(crate) fn show(charts: &[Saved]) -> Result<(), CliError> {
    for chart in charts {
        let mut text = format!("chart {}\n", chart.number);
        list(&mut text, &chart.fields, 1);
        match &chart.path {
            Some(path) => text.extend(["  saved as ", &path.display().to_string(), "\n"]),
            None => text.push_str("  has no picture\n"),
        }
        output::print(Channel::Stdout, text.as_bytes())?;
        if let Some(png) = &chart.png {
            draw(png)?;
        }
    }
    Ok(())
}

/// Draws a PNG on standard output, if that is a terminal and the user has not asked for a plain one, or says why not.
fn draw(png: &[u8]) -> Result<(), CliError> {
    let protocol = Protocol::of(|name| std::env::var(name).unwrap_or_default());
    let Some(protocol) = protocol.filter(|_| output::is_terminal()) else {
        return Ok(());
    };
    let columns = terminal::size().0.clamp(1, WIDEST);
    let drawn = protocol
        .draw(png, columns)
        .unwrap_or_else(|reason| format!("  is not drawn: {reason}\n"));
    output::print(Channel::Stdout, drawn.as_bytes())
}

/// No wider than is good to look at.
const WIDEST: u16 = 100;

/// The charts for `--json`: their fields, and where the picture is instead of the picture.
pub(crate) fn to_json(charts: &[Saved]) -> Value {
    let object = |chart: &Saved| {
        let mut fields = chart.fields.clone();
        fields.insert("path".to_owned(), json!(chart.path));
        Value::Object(fields)
    };
    charts.iter().map(object).collect()
}

/// What is listed first, in this order; what else there is comes after it, and the elements last.
const ORDER: [&str; 12] = [
    "type",
    "title",
    "label",
    "group",
    "x_label",
    "x_scale",
    "x_ticks",
    "x_tick_labels",
    "y_label",
    "y_scale",
    "y_ticks",
    "y_tick_labels",
];

fn list(text: &mut String, fields: &Map<String, Value>, depth: usize) {
    let indent = "  ".repeat(depth);
    let rank = |name: &str| match name {
        "elements" => ORDER.len() + 1,
        name => ORDER
            .iter()
            .position(|first| *first == name)
            .unwrap_or(ORDER.len()),
    };
    let mut fields: Vec<_> = fields.iter().collect();
    fields.sort_by_key(|(name, _)| rank(name));
    for (name, value) in fields {
        let name = name.replace('_', " ").replace(char::is_control, " ");
        text.extend([indent.as_str(), &name]);
        match value {
            Value::Array(elements) if elements.iter().any(Value::is_object) => {
                text.push('\n');
                for element in elements {
                    text.extend([indent.as_str(), "  -\n"]);
                    if let Value::Object(fields) = element {
                        list(text, fields, depth + 2);
                    }
                }
            }
            Value::Array(items) if items.is_empty() => text.push_str(": none\n"),
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
        Value::Number(number) => number.as_f64().map_or_else(|| number.to_string(), short),
        value => value.to_string(),
    }
}

/// A number to be read, not computed with; `--json` has it whole.
fn short(number: f64) -> String {
    if number == 0.0 || (1e-3..1e7).contains(&number.abs()) {
        let text = format!("{number:.4}");
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    format!("{number:.4e}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (number, text) in [
            (0.0, "0"),
            (-2.0, "-2"),
            (0.25, "0.25"),
            (100.0, "100"),
            (1.0 / 3.0, "0.3333"),
        ] {
            assert_eq!(short(number), text);
        }
        assert_eq!(short(1e-9), "1.0000e-9");
        assert_eq!(short(-1.5e300), "-1.5000e300");
    }

    #[test]
    fn what_breaks_a_line_does_not() {
        assert_eq!(one_line(&json!("a\n\u{1b}[31mb")), "a  [31mb");
    }
}
