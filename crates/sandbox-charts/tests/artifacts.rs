//! Artifact lines: what Daytona's daemon v0.190 made of them, and what it was never asked.

use sandbox_charts::artifacts::{PREFIX, split};
use sandbox_charts::{Chart, ChartType};
use serde_json::Value;

/// Splits `output`, and expects charts of these types.
#[track_caller]
fn check(output: &[u8], rest: &[u8], types: &[ChartType]) {
    let split = split(output);
    assert_eq!(split.output, rest);
    let found: Vec<_> = split.charts.iter().map(Chart::chart_type).collect();
    assert_eq!(found, types);
}

/// An artifact line without its end.
fn line(chart: &str) -> String {
    format!("{PREFIX}{{\"type\":\"chart\",\"value\":{chart}}}")
}

#[test]
fn recorded_outputs_come_apart_as_recorded() {
    let recorded: Value = serde_json::from_str(include_str!("data/artifacts.json")).unwrap();
    let recorded = recorded.as_array().unwrap();
    assert_eq!(recorded.len(), 13);
    for case in recorded {
        let split = split(case["output"].as_str().unwrap().as_bytes());
        assert_eq!(
            split.output,
            case["result"].as_str().unwrap().as_bytes(),
            "{case}"
        );

        let charts = case["charts"].as_array().unwrap();
        let expect: Vec<_> = charts.iter().map(Chart::from_json).collect();
        match case.get("ours") {
            None => assert_eq!(split.charts, expect, "{case}"),
            Some(ours) => {
                let found: Vec<_> = split.charts.iter().map(Chart::to_json).collect();
                assert_eq!(&Value::from(found), ours, "{case}");
            }
        }
    }
}

#[test]
fn other_bytes_are_untouched() {
    for output in [
        &b""[..],
        b"\n",
        b"\n\n",
        b"a",
        b"a\r\n\xff\x00",
        b"dtn_artifact_k39fd2",
        b" dtn_artifact_k39fd2:{}\n",
        b"\rdtn_artifact_k39fd2:{}\n",
        b"dtn_artifact_K39FD2:{}\n",
    ] {
        check(output, output, &[]);
    }
}

#[test]
fn a_line_goes_with_its_end() {
    let pie = line(r#"{"type":"pie"}"#);
    let pies = |count| vec![ChartType::Pie; count];
    check(pie.as_bytes(), b"", &pies(1));
    check(format!("{pie}\n").as_bytes(), b"", &pies(1));
    check(format!("a\n{pie}").as_bytes(), b"a\n", &pies(1));
    check(
        format!("\n{pie}\r\n\n{pie}\n{pie}").as_bytes(),
        b"\n\n",
        &pies(3),
    );
    let output = [b"\xe9\n", pie.as_bytes(), b"\n\0"].concat();
    check(&output, b"\xe9\n\0", &pies(1));
}

#[test]
fn a_line_within_a_line_is_none() {
    let pie = line(r#"{"type":"pie"}"#);
    check(
        format!("a{pie}\n").as_bytes(),
        format!("a{pie}\n").as_bytes(),
        &[],
    );
    check(format!("{PREFIX}{pie}\n").as_bytes(), b"", &[]);
    check(format!("{pie}{pie}\n").as_bytes(), b"", &[]);
}

#[test]
fn what_is_no_chart_is_dropped() {
    for payload in [
        "",
        " ",
        "\r",
        "null",
        "[]",
        "\"chart\"",
        "{}",
        r#"{"type":"chart","value":null}"#,
        r#"{"type":"chart","value":"line"}"#,
        r#"{"type":"chart","value":[]}"#,
        r#"{"type":7,"value":{}}"#,
        r#"{"type":"chart","value":{}} x"#,
        r#"{"type":"chart","value":{"type":"line","elements":5}}"#,
        r#"{"type":"chart","value":{"type":"bar","elements":[{"value":true}]}}"#,
    ] {
        check(
            format!("a\n{PREFIX}{payload}\nb\n").as_bytes(),
            b"a\nb\n",
            &[],
        );
    }
}

#[test]
fn what_a_client_accepts_is_retained() {
    check(line("{}").as_bytes(), b"", &[ChartType::Unknown]);
    let apples = line(r#"{"type":"bar","elements":[{"value":"12 apples"}]}"#);
    check(apples.as_bytes(), b"", &[ChartType::Unknown]);
    assert_eq!(split(apples.as_bytes()).charts[0].to_json()["type"], "bar");
}

#[test]
fn what_the_daemon_drops_for_its_coordinates_is_retained() {
    for point in ["[1,NaN]", "[1,Infinity]", "[\"2024-01-01\",1]", "[\"a\",1]"] {
        let chart = format!(r#"{{"type":"line","elements":[{{"points":[{point}]}}]}}"#);
        check(line(&chart).as_bytes(), b"", &[ChartType::Line]);
    }
    let mut latin = line(r#"{"type":"line","title":"caf?"}"#).into_bytes();
    let at = latin.iter().position(|byte| *byte == b'?').unwrap();
    latin[at] = 0xE9;
    assert_eq!(split(&latin).charts[0].title(), Some("caf\u{fffd}"));
}
