//! Charts as they are met in the field, read and written.

use proptest::prelude::*;
use sandbox_charts::{Chart, ChartType, Scale, Values, artifacts, fuzzing};
use serde_json::{Value, json};

/// `wire` reads as `expected_type`, and is written as `strict`.
#[track_caller]
fn check(wire: Value, expected_type: ChartType, strict: Value) -> Chart {
    let chart = Chart::from_json(&wire);
    assert_eq!(chart.chart_type(), expected_type, "{chart:?}");
    assert_eq!(chart.to_json(), strict);
    assert_eq!(Chart::from_json(&strict), chart);
    chart
}

#[test]
fn a_line_chart() {
    let wire = json!({
        "type": "line", "title": "T", "png": "iVBORw0KGgo=", "x_label": "x", "y_label": "y",
        "x_ticks": [0, 0.5, 1.0], "x_tick_labels": ["0", "½", "1"], "x_scale": "linear",
        "y_ticks": [1, 10], "y_tick_labels": ["1", "10"], "y_scale": "log",
        "elements": [{"label": "sq", "points": [[1, 1], [2, 4.5]]}, {"points": []}],
    });
    let strict = json!({
        "type": "line", "title": "T", "png": "iVBORw0KGgo=", "x_label": "x", "y_label": "y",
        "x_ticks": [0, 0.5, 1], "x_tick_labels": ["0", "½", "1"], "x_scale": "linear",
        "y_ticks": [1, 10], "y_tick_labels": ["1", "10"], "y_scale": "log",
        "elements": [{"label": "sq", "points": [[1, 1], [2, 4.5]]}, {"points": []}],
    });
    let chart = check(wire, ChartType::Line, strict);
    assert_eq!(chart.png().unwrap().as_ref(), b"\x89PNG\r\n\x1a\n");
    let Chart::Line(line) = &chart else { panic!() };
    assert_eq!(line.y_scale, Some(Scale::Log));
    assert_eq!(line.x_tick_labels[1], "½");
    assert_eq!(line.elements[0].points, [(1.0, 1.0), (2.0, 4.5)]);
    assert!(format!("{chart:?}").contains("png: Some(8 bytes)"));
}

#[test]
fn dates_come_as_texts_or_days_and_leave_as_days() {
    let wire = json!({
        "type": "scatter", "x_scale": "datetime",
        "elements": [{"label": 7, "points": [["2024-01-01", "3"], ["2024-01-02T12:00:00", 4], [19725, 5]]}],
    });
    let strict = json!({
        "type": "scatter", "x_scale": "datetime",
        "elements": [{"label": "7", "points": [[19723, 3], [19724.5, 4], [19725, 5]]}],
    });
    let chart = check(wire, ChartType::Scatter, strict);
    let Chart::Scatter(scatter) = &chart else {
        panic!()
    };
    let Values::Instants(instants) = scatter.x_values([19_723.0]) else {
        panic!()
    };
    let day = std::time::Duration::from_secs(86_400);
    assert_eq!(instants, [std::time::SystemTime::UNIX_EPOCH + day * 19_723]);
}

#[test]
fn bars_have_texts_for_values() {
    let wire = json!({
        "type": "bar", "x_scale": "categorical", "x_ticks": [0, 1], "x_tick_labels": ["a", "b"],
        "elements": [
            {"label": "a", "group": "g", "value": 3.0}, {"label": "b", "value": "-2.5"},
            {"label": "c", "value": null}, {"label": "d", "value": "much"},
        ],
    });
    let strict = json!({
        "type": "bar", "x_scale": "categorical", "x_ticks": [0, 1], "x_tick_labels": ["a", "b"],
        "elements": [
            {"label": "a", "group": "g", "value": "3"}, {"label": "b", "value": "-2.5"},
            {"label": "c"}, {"label": "d"},
        ],
    });
    let chart = check(wire, ChartType::Bar, strict);
    let Chart::Bar(bars) = &chart else { panic!() };
    assert_eq!(bars.elements[0].value, Some(3.0));
    assert_eq!(
        bars.x_values([1.0]),
        Values::Categories(vec!["b".to_owned()])
    );
}

#[test]
fn pies_and_boxes() {
    let pie = json!({"type": "pie", "elements": [
        {"label": "a", "angle": 108, "radius": 1, "autopct": "30%"}, {"angle": 252.5},
    ]});
    let chart = check(pie.clone(), ChartType::Pie, pie);
    let Chart::Pie(pie) = &chart else { panic!() };
    assert_eq!(pie.elements[0].autopct.as_deref(), Some("30%"));

    let boxes = json!({"type": "box_and_whisker", "elements": [
        {"label": "1", "min": 1, "first_quartile": 2, "median": 3, "third_quartile": 4, "max": 5, "outliers": [9, 9.5]},
    ]});
    let chart = check(boxes.clone(), ChartType::BoxAndWhisker, boxes);
    let Chart::BoxAndWhisker(boxes) = &chart else {
        panic!()
    };
    assert_eq!(
        (boxes.elements[0].median, boxes.elements[0].outliers.len()),
        (Some(3.0), 2)
    );
}

#[test]
fn composites_hold_whole_charts() {
    let composite = json!({"type": "composite_chart", "title": "C", "elements": [
        {"type": "line", "title": "a", "x_ticks": [1], "elements": [{"points": [[1, 2]]}]},
        {"type": "unknown", "title": "b", "elements": []},
    ]});
    let chart = check(composite.clone(), ChartType::Composite, composite);
    let Chart::Composite(composite) = &chart else {
        panic!()
    };
    assert_eq!(composite.elements[0].title(), Some("a"));
}

#[test]
fn what_is_absent_or_null_is_absent() {
    for name in [
        "line",
        "scatter",
        "bar",
        "pie",
        "box_and_whisker",
        "composite_chart",
    ] {
        let strict = json!({"type": name, "elements": []});
        check(
            json!({"type": name}),
            ChartType::from_name(name),
            strict.clone(),
        );
        let nulls = json!({"type": name, "title": null, "png": null, "x_ticks": null, "elements": null, "zz": 1});
        check(nulls, ChartType::from_name(name), strict);
    }
}

#[test]
fn what_is_not_understood_is_kept_with_the_reason() {
    let reason = |wire: &[u8]| match Chart::from_slice(wire) {
        Chart::Unknown(chart) => chart.reason,
        chart => panic!("{chart:?}"),
    };
    assert_eq!(reason(br#"{"type": "unknown", "png": "aGk="}"#), None);
    assert!(
        reason(br#"{"type": "radar"}"#)
            .unwrap()
            .contains("'radar' is not known")
    );
    assert!(reason(b"{}").unwrap().contains("'' is not known"));
    assert!(reason(b"[1]").unwrap().contains("not an object"));
    assert!(reason(b"nope").unwrap().contains("not JSON"));
    assert!(
        reason(br#"{"type": "line", "elements": [1]}"#)
            .unwrap()
            .contains("not an object")
    );

    let chart = Chart::from_json(&json!({"type": "radar", "title": "R", "png": "aGk=", "axes": 5}));
    assert_eq!(
        (chart.title(), chart.png().unwrap().as_ref()),
        (Some("R"), &b"hi"[..])
    );
    let strict = json!({"type": "unknown", "title": "R", "png": "aGk=", "axes": 5, "elements": []});
    assert_eq!(chart.to_json(), strict);
}

#[test]
fn nesting_has_an_end() {
    let mut wire = json!({"type": "line"});
    for _ in 0..100 {
        wire = json!({"type": "composite_chart", "elements": [wire]});
    }
    let mut chart = &Chart::from_json(&wire);
    let mut depth = 0;
    while let Chart::Composite(composite) = chart {
        chart = &composite.elements[0];
        depth += 1;
    }
    assert!(depth < 20 && matches!(chart, Chart::Unknown(_)));
}

#[test]
fn the_strict_form_is_what_official_clients_take() {
    let wire = json!({"type": "bar", "x_ticks": ["1", "x", null, 2], "x_tick_labels": [1, null, "b"],
        "elements": [{"label": 1, "value": "inf"}]});
    let chart = Chart::from_json(&wire).to_json();
    assert!(
        chart["x_ticks"]
            .as_array()
            .unwrap()
            .iter()
            .all(Value::is_number)
    );
    assert!(
        chart["x_tick_labels"]
            .as_array()
            .unwrap()
            .iter()
            .all(Value::is_string)
    );
    assert!(chart["elements"][0]["label"].is_string());
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        any::<i64>().prop_map(Value::from),
        "[a-z0-9T:. -]{0,12}".prop_map(Value::from),
        prop_oneof![
            "line",
            "scatter",
            "bar",
            "pie",
            "box_and_whisker",
            "composite_chart"
        ]
        .prop_map(Value::from),
    ];
    let keys = prop_oneof![
        "type",
        "title",
        "png",
        "x_label",
        "x_ticks",
        "x_tick_labels",
        "x_scale",
        "elements",
        "label",
        "points",
        "value",
        "angle",
        "outliers",
        "zz",
    ];
    leaf.prop_recursive(4, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(keys.clone(), inner, 0..8).prop_map(Value::from_iter),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_comes_is_read_and_written(value in any_json(), name in 0_usize..7) {
        let mut value = value;
        if let Value::Object(object) = &mut value {
            object.insert("type".to_owned(), ChartType::ALL[name].name().into());
        }
        fuzzing::chart_json(value.to_string().as_bytes());
    }

    #[test]
    fn bytes_that_are_no_chart_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        fuzzing::chart_json(&bytes);
        fuzzing::artifacts(&bytes);
    }

    #[test]
    fn only_marked_lines_leave_an_output(
        lines in prop::collection::vec("(dtn_artifact_k39fd2:)?[a-z{}\"\r]{0,9}\n?", 0..9),
    ) {
        let output = lines.concat();
        fuzzing::artifacts(output.as_bytes());
        let again = artifacts::split(&artifacts::split(output.as_bytes()).output);
        prop_assert!(again.charts.is_empty());
    }
}
