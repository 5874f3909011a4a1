//! What each kind of chart is in Rust, whatever its dialect.

use std::time::{Duration, SystemTime};

use sandbox_charts::{
    Axis, AxisValue, BarData, Chart, ChartType, CompositeChart, LineChart, PieChart, Scale,
    UnknownReason, limits,
};
use serde_json::{Value, json};

macro_rules! data {
    ($name:literal) => {
        Chart::from_slice(include_bytes!(concat!("data/read/", $name, ".json")))
    };
}

macro_rules! expect {
    ($kind:ident, $chart:expr) => {
        match $chart {
            Chart::$kind(chart) => chart,
            other => panic!("{other:?}"),
        }
    };
}

fn tick_labels(axis: Axis<'_>) -> Vec<&str> {
    axis.tick_labels.iter().map(String::as_str).collect()
}

fn day(days: u64) -> AxisValue<'static> {
    AxisValue::Instant(SystemTime::UNIX_EPOCH + Duration::from_secs(days * 86_400))
}

#[test]
fn line() {
    for chart in [data!("daemon-line"), data!("strict-line")] {
        assert_eq!(chart.chart_type(), ChartType::Line);
        assert_eq!(chart.title(), Some("T"));
        assert!(chart.png().unwrap().starts_with(b"\x89PNG\r\n\x1a\n"));
        let line = expect!(Line, chart);
        assert_eq!(line.title.as_deref(), Some("T"));
        assert_eq!(line.png.unwrap().len(), 67);
        assert_eq!(line.x_label.as_deref(), Some("x"));
        assert_eq!(line.y_label.as_deref(), Some("y"));
        assert_eq!(line.x_ticks[..3], [0.75, 1.0, 1.25]);
        assert_eq!(line.y_ticks, [0., 1., 2., 3., 4., 5., 6., 7., 8., 9., 10.]);
        assert_eq!(line.x_tick_labels[..3], ["0.75", "1.00", "1.25"]);
        assert_eq!(line.y_tick_labels[9..], ["9", "10"]);
        assert_eq!(
            (line.x_scale, line.y_scale),
            (Some(Scale::Linear), Some(Scale::Linear))
        );
        assert_eq!(line.elements.len(), 1);
        assert_eq!(line.elements[0].label.as_deref(), Some("sq"));
        assert_eq!(
            line.elements[0].points,
            [(1.0, 1.0), (2.0, 4.0), (3.0, 9.0)]
        );
    }
}

#[test]
fn scatter() {
    for chart in [data!("daemon-scatter"), data!("strict-scatter")] {
        let scatter = expect!(Scatter, chart);
        assert_eq!(scatter.elements[0].label.as_deref(), Some("s"));
        assert_eq!(scatter.elements[0].points, [(1.0, 3.0), (2.0, 4.0)]);
    }
}

#[test]
fn bar() {
    for chart in [data!("strict-bar"), data!("wrapper-bar"), data!("e2b-bar")] {
        let found: Vec<_> = expect!(Bar, chart)
            .elements
            .into_iter()
            .map(|bar| (bar.label, bar.value))
            .collect();
        let label = |text: &str| Some(text.to_owned());
        assert_eq!(found, [(label("a"), Some(1.0)), (label("b"), Some(2.5))]);
    }
    let bars = expect!(Bar, data!("wrapper-bar"));
    assert_eq!(bars.elements[0].group.as_deref(), Some("_container0"));
    assert_eq!(bars.title, None, "an empty title is none");
    assert_eq!(
        bars.x_axis().tick_values().collect::<Vec<_>>(),
        ["a", "b"].map(AxisValue::Category)
    );
}

#[test]
fn pie() {
    let pie = expect!(Pie, data!("strict-pie"));
    let found: Vec<_> = pie
        .elements
        .iter()
        .map(|wedge| {
            (
                wedge.label.as_deref(),
                wedge.angle,
                wedge.radius,
                wedge.autopct.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            (Some("a"), Some(108.0), Some(1.0), Some("30%")),
            (Some("b"), Some(252.0), Some(1.0), Some("70%")),
        ]
    );
    let pie = expect!(Pie, data!("daemon-pie"));
    assert_eq!(
        (pie.elements[1].label.as_deref(), &pie.elements[1].autopct),
        (Some("b"), &None)
    );
}

#[test]
fn box_and_whisker() {
    let boxes = expect!(BoxAndWhisker, data!("strict-box"));
    let first = &boxes.elements[0];
    assert_eq!(first.label.as_deref(), Some("1"));
    assert_eq!((first.min, first.max), (Some(1.0), Some(4.0)));
    assert_eq!(
        (first.first_quartile, first.median, first.third_quartile),
        (Some(2.0), Some(3.0), Some(4.0))
    );
    assert_eq!(first.outliers, [9.0]);
    let boxes = expect!(BoxAndWhisker, data!("wrapper-box"));
    assert_eq!(
        (boxes.elements[1].min, boxes.elements[1].first_quartile),
        (None, Some(1.925))
    );
}

#[test]
fn composite() {
    for chart in [
        data!("strict-composite"),
        data!("wrapper-composite"),
        data!("e2b-composite"),
    ] {
        assert_eq!(chart.chart_type(), ChartType::CompositeChart);
        assert_eq!(chart.title(), Some("C"));
        let [Chart::Line(line), Chart::Bar(bars)] = &expect!(Composite, chart).elements[..] else {
            panic!("a line and bars were drawn");
        };
        assert_eq!(line.x_label.as_deref(), Some("ax"));
        assert_eq!(line.x_ticks.len(), 7);
        assert_eq!(tick_labels(line.y_axis())[0], "2.75");
        assert_eq!(line.x_scale, Some(Scale::Linear));
        assert_eq!(line.elements[0].points, [(1.0, 3.0), (2.0, 5.0)]);
        assert_eq!(bars.elements.len(), 1);
    }
    let parts = expect!(Composite, data!("daemon-composite")).elements;
    assert_eq!(
        parts.iter().map(Chart::chart_type).collect::<Vec<_>>(),
        [ChartType::Line, ChartType::Scatter]
    );
}

#[test]
fn instants() {
    for chart in [data!("strict-date"), data!("e2b-date")] {
        let line = expect!(Line, chart);
        assert_eq!(line.x_scale, Some(Scale::Datetime));
        assert_eq!(line.elements[0].points, [(19_723.0, 1.0), (19_724.5, 2.0)]);
        assert_eq!(line.x_axis().value(19_723.0), day(19_723));
        assert_eq!(line.x_axis().tick_values().nth(6), Some(day(19_724)));
        assert_eq!(tick_labels(line.x_axis())[6], "01-02 00");
        assert_eq!(line.y_axis().value(1.0), AxisValue::Number(1.0));
    }
    let scatter = expect!(Scatter, data!("wrapper-date"));
    assert_eq!(scatter.x_ticks[0], 19_723.0);
    assert_eq!(scatter.elements[0].points[0], (19_723.0, 1.0));
}

#[test]
fn categories() {
    for chart in [
        data!("strict-category"),
        data!("wrapper-category"),
        data!("e2b-category"),
    ] {
        let line = expect!(Line, chart);
        assert_eq!(
            line.elements[0].points,
            [(0.0, 1.0), (1.0, 2.0), (2.0, 3.0)]
        );
        assert_eq!(line.x_axis().value(2.0), AxisValue::Category("c"));
        assert_eq!(tick_labels(line.x_axis()), ["a", "b", "c"]);
    }
}

#[test]
fn other_scales() {
    assert_eq!(
        expect!(Line, data!("wrapper-log")).x_scale,
        Some(Scale::Log)
    );
    let line = expect!(Line, data!("strict-asinh"));
    assert_eq!(line.x_scale, Some(Scale::Other("asinh".to_owned())));
    assert_eq!(line.x_axis().value(1.0), AxisValue::Number(1.0));
}

#[test]
fn points_without_a_number_are_left_out() {
    assert_eq!(
        expect!(Line, data!("wrapper-nan")).elements[0].points,
        [(1.0, 1.0)]
    );
    let line = expect!(Line, data!("made-absent"));
    assert_eq!(line.elements.len(), 3);
    assert_eq!(line.elements[2].points, [(1.0, 1.0)]);
    assert_eq!(
        (line.y_ticks.as_slice(), tick_labels(line.y_axis())),
        (&[1.0][..], vec!["one"])
    );
}

#[test]
fn texts_are_numbers_and_numbers_texts() {
    let boxes = expect!(BoxAndWhisker, data!("made-texts"));
    assert_eq!(boxes.title.as_deref(), Some("2024"));
    assert_eq!(boxes.png.as_deref(), Some(&b"\x89PNG"[..]));
    assert_eq!(boxes.elements[0].label.as_deref(), Some("1"));
    assert_eq!(
        (boxes.elements[0].min, boxes.elements[0].max),
        (Some(1.0), None)
    );
    assert_eq!(boxes.elements[0].outliers, [9.0]);
}

#[test]
fn a_picture_that_is_none_costs_nothing_else() {
    let chart = data!("made-keys");
    assert_eq!(chart.png(), None);
    assert_eq!(expect!(Bar, chart).elements.len(), 5);
    for png in [json!(5), json!([]), json!(""), Value::Null] {
        assert_eq!(
            Chart::from_json(&json!({"type": "pie", "png": png})).chart_type(),
            ChartType::Pie
        );
    }
}

#[track_caller]
fn check_unknown(chart: Chart, expect: UnknownReason, raw: &Value) {
    assert_eq!(chart.chart_type(), ChartType::Unknown);
    let unknown = expect!(Unknown, chart);
    assert_eq!(unknown.reason(), &expect);
    assert_eq!(unknown.raw(), raw);
}

fn malformed(path: &str, expected: &'static str) -> UnknownReason {
    UnknownReason::Malformed {
        path: path.to_owned(),
        expected,
    }
}

#[test]
fn unknown_charts_keep_what_they_came_with() {
    let empty = data!("daemon-empty");
    assert!(empty.png().is_some());
    assert_eq!(
        expect!(Unknown, empty).reason(),
        &UnknownReason::Unclassified
    );

    let radar = json!({"type": "radar", "title": "t", "spokes": [1, 2]});
    let chart = Chart::from_json(&radar);
    assert_eq!(chart.title(), Some("t"));
    check_unknown(
        chart,
        UnknownReason::UnfamiliarType("radar".to_owned()),
        &radar,
    );
    for untyped in [
        json!({}),
        json!({"type": null}),
        json!({"type": ""}),
        json!({"type": "unknown"}),
    ] {
        check_unknown(
            Chart::from_json(&untyped),
            UnknownReason::Unclassified,
            &untyped,
        );
    }
}

#[test]
fn malformed_charts_say_where() {
    for (json, path, expected) in [
        (json!(5), "", "an object"),
        (json!({"type": ["line"]}), "type", "a text"),
        (json!({"type": "line", "title": true}), "title", "a text"),
        (
            json!({"type": "line", "elements": {}}),
            "elements",
            "a list",
        ),
        (
            json!({"type": "line", "x_tick_labels": ["a", {}]}),
            "x_tick_labels[1]",
            "a text",
        ),
        (
            json!({"type": "line", "y_ticks": [{}]}),
            "y_ticks[0]",
            "a number",
        ),
        (
            json!({"type": "line", "x_scale": "log", "x_ticks": ["a"]}),
            "x_ticks[0]",
            "a coordinate",
        ),
        (
            json!({"type": "line", "elements": [{}, 5]}),
            "elements[1]",
            "an object",
        ),
        (
            json!({"type": "scatter", "elements": [{"points": [[1, 2], [1]]}]}),
            "elements[0].points[1]",
            "a pair of coordinates",
        ),
        (
            json!({"type": "bar", "elements": [{"value": "12 apples"}]}),
            "elements[0].value",
            "a number",
        ),
        (
            json!({"type": "pie", "elements": [{"angle": []}]}),
            "elements[0].angle",
            "a number",
        ),
        (
            json!({"type": "box_and_whisker", "elements": [{"outliers": [1, "x"]}]}),
            "elements[0].outliers[1]",
            "a number",
        ),
    ] {
        check_unknown(Chart::from_json(&json), malformed(path, expected), &json);
    }
}

#[test]
fn bytes_that_are_not_json_are_unknown() {
    for bytes in [&b""[..], b"nope", b"\xff", b"{\"type\": \"line\""] {
        let unknown = expect!(Unknown, Chart::from_slice(bytes));
        assert!(
            matches!(unknown.reason(), UnknownReason::NotJson(_)),
            "{unknown:?}"
        );
        assert_eq!(unknown.raw(), &Value::Null);
        assert_eq!(
            Chart::Unknown(unknown).to_json(),
            json!({"type": "unknown", "elements": []})
        );
    }
}

#[test]
fn a_malformed_part_leaves_the_others() {
    let parts = expect!(Composite, data!("made-nested")).elements;
    let types: Vec<_> = parts.iter().map(Chart::chart_type).collect();
    assert_eq!(
        types,
        [
            ChartType::CompositeChart,
            ChartType::Unknown,
            ChartType::Unknown,
            ChartType::Unknown
        ]
    );
    assert_eq!(
        expect!(Unknown, &parts[2]).reason(),
        &malformed("elements[0].value", "a number")
    );
}

#[test]
fn nesting_ends() {
    let nested = |depth| {
        let pie = json!({"type": "pie", "elements": []});
        (0..depth).fold(
            pie,
            |chart, _| json!({"type": "composite_chart", "elements": [chart]}),
        )
    };
    let mut chart = Chart::from_json(&nested(limits::NESTING));
    for _ in 0..limits::NESTING {
        chart = expect!(Composite, chart).elements.remove(0);
    }
    assert_eq!(chart.chart_type(), ChartType::Pie);

    let json = nested(500);
    let mut chart = Chart::from_json(&json);
    assert_eq!(chart.to_json(), json, "what is not understood is passed on");
    for _ in 0..limits::NESTING {
        chart = expect!(Composite, chart).elements.remove(0);
    }
    assert_eq!(
        expect!(Unknown, chart).reason(),
        &malformed("", "nested within the limit")
    );
}

#[test]
fn what_json_cannot_carry_is_not_written() {
    let mut line = LineChart::default();
    line.title = Some(String::new());
    line.png = Some(Vec::new().into());
    line.x_ticks = vec![f64::NAN, 1.0];
    line.x_tick_labels = vec!["a".to_owned(), "b".to_owned()];
    line.y_ticks = vec![f64::INFINITY];
    line.elements = vec![Default::default()];
    line.elements[0].points = vec![(1.0, f64::NAN), (f64::NEG_INFINITY, 1.0), (1.0, 1.0)];
    let mut bar = BarData::default();
    bar.value = Some(f64::NAN);
    let mut bars = sandbox_charts::BarChart::default();
    bars.elements = vec![bar];
    let mut composite = CompositeChart::default();
    composite.elements = vec![
        Chart::Line(line),
        Chart::Bar(bars),
        Chart::Pie(PieChart::default()),
    ];
    assert_eq!(
        Chart::Composite(composite).to_json(),
        json!({"type": "composite_chart", "elements": [
            {"type": "line", "x_ticks": [1], "x_tick_labels": ["b"], "elements": [{"points": [[1, 1]]}]},
            {"type": "bar", "elements": [{}]},
            {"type": "pie", "elements": []},
        ]})
    );
}

#[test]
fn debug_does_not_print_pictures() {
    let png = "iVBO".repeat(1_000_000);
    for kind in [
        "line",
        "scatter",
        "bar",
        "pie",
        "box_and_whisker",
        "composite_chart",
        "unknown",
        "radar",
    ] {
        let chart = Chart::from_json(&json!({"type": kind, "png": png}));
        assert_eq!(chart.png().map(|png| png.len()), Some(3_000_000));
        let debug = format!("{chart:?}");
        assert!(
            debug.len() < 500 && debug.contains("Png(3000000 bytes)"),
            "{debug}"
        );
    }
}

#[test]
fn types_have_names() {
    for (kind, name) in [
        (ChartType::Line, "line"),
        (ChartType::Scatter, "scatter"),
        (ChartType::Bar, "bar"),
        (ChartType::Pie, "pie"),
        (ChartType::BoxAndWhisker, "box_and_whisker"),
        (ChartType::CompositeChart, "composite_chart"),
        (ChartType::Unknown, "unknown"),
    ] {
        assert_eq!(kind.to_string(), name);
        assert_eq!(ChartType::from_name(name), kind);
    }
    assert_eq!(
        ChartType::from_name("superchart"),
        ChartType::CompositeChart
    );
    assert_eq!(ChartType::from_name("Line"), ChartType::Unknown);
}
