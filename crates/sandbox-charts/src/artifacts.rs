//! Charts in a captured output, as old daemons and SDKs carry them: as lines.

use crate::Chart;

/// What a line that carries an artifact begins with.
pub const PREFIX: &[u8] = b"dtn_artifact_k39fd2:";

/// An output without its artifact lines, and what they carried.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Split {
    /// The output, byte for byte, without the lines that begin with [`PREFIX`].
    pub output: Vec<u8>,
    /// The charts, in order.
    pub charts: Vec<Chart>,
}

/// Takes the artifact lines out of an output.
///
/// Lines end with `\n` alone. Every line that begins with [`PREFIX`] is removed, whatever it carries. It carries a chart
/// if what follows is a JSON object whose `type` is `chart` and whose `value` is an object; blanks before it and a
/// carriage return after it do no harm.
pub fn split(output: &[u8]) -> Split {
    let mut split = Split::default();
    let mut rest = output;
    while !rest.is_empty() {
        let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
        let (line, after) = rest.split_at(end);
        match line.strip_prefix(PREFIX) {
            Some(payload) => split.charts.extend(chart(payload)),
            None => split.output.extend_from_slice(line),
        }
        rest = after;
    }
    split
}

fn chart(payload: &[u8]) -> Option<Chart> {
    let artifact: serde_json::Value = serde_json::from_slice(payload.trim_ascii()).ok()?;
    let value = artifact.get("value").filter(|value| value.is_object())?;
    (artifact.get("type")?.as_str()? == "chart").then(|| Chart::from_json(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ChartType;

    fn check(output: &str, rest: &str, charts: &[ChartType]) {
        let split = split(output.as_bytes());
        assert_eq!(String::from_utf8_lossy(&split.output), rest, "{output:?}");
        let types: Vec<_> = split.charts.iter().map(Chart::chart_type).collect();
        assert_eq!(types, charts, "{output:?}");
    }

    #[test]
    fn lines_are_taken_out() {
        let p = "dtn_artifact_k39fd2:";
        let line = r#"{"type":"chart","value":{"type":"line"}}"#;
        check("", "", &[]);
        check("a\nb", "a\nb", &[]);
        check(&format!("a\n{p}{line}\nb\n"), "a\nb\n", &[ChartType::Line]);
        check(&format!("{p} {line}\r\n"), "", &[ChartType::Line]);
        check(&format!("{p}{line}"), "", &[ChartType::Line]);
        check(&format!("a{p}{line}\n"), &format!("a{p}{line}\n"), &[]);
        check(&format!("x\r{p}{line}\n"), &format!("x\r{p}{line}\n"), &[]);
        for dropped in [
            "",
            "nope",
            "{}",
            r#"{"type":"chart"}"#,
            r#"{"type":"table","value":{}}"#,
        ] {
            check(&format!("{p}{dropped}\nb\n"), "b\n", &[]);
        }
        let bar = r#"{"type":"chart","value":{"type":"bar","elements":[{"label":"a","value":1}]}}"#;
        check(&format!("{p}{bar}\n"), "", &[ChartType::Bar]);
        let radar = r#"{"type":"chart","value":{"type":"radar"}}"#;
        check(&format!("{p}{radar}\n"), "", &[ChartType::Unknown]);
    }
}
