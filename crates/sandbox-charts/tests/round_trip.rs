//! Every well-formed chart comes back equal from what is written for it.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use sandbox_charts::{
    BarChart, BarData, BoxAndWhiskerChart, BoxAndWhiskerData, Chart, CompositeChart, LineChart,
    PieChart, PieData, PointData, Scale, ScatterChart,
};
use serde_json::{Map, Value, json};

/// Fills a new value of a type that has more fields than it has here.
macro_rules! filled {
    ($type:ty { $($field:ident),* $(,)? }) => {{
        let mut filled = <$type>::default();
        $(filled.$field = $field;)*
        filled
    }};
}

/// Charts of a type that has two axes.
macro_rules! with_axes {
    ($type:ty, $element:expr) => {
        (heading(), axis(), axis(), vec($element, 0..4)).prop_map(
            |((title, png), x, y, elements)| {
                let (x_label, x_ticks, x_tick_labels, x_scale) = x;
                let (y_label, y_ticks, y_tick_labels, y_scale) = y;
                let png = png.map(Into::into);
                filled!($type {
                    title,
                    png,
                    x_label,
                    y_label,
                    x_ticks,
                    y_ticks,
                    x_tick_labels,
                    y_tick_labels,
                    x_scale,
                    y_scale,
                    elements,
                })
            },
        )
    };
}

type Heading = (Option<String>, Option<Vec<u8>>);
type AxisFields = (Option<String>, Vec<f64>, Vec<String>, Option<Scale>);

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z]{1,3}", any::<String>()]
        .prop_filter("an empty text is none", |text| !text.is_empty())
}

/// Numbers of every size, and often whole ones.
fn number() -> impl Strategy<Value = f64> {
    use prop::num::f64::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
    prop_oneof![
        NORMAL | SUBNORMAL | ZERO | POSITIVE | NEGATIVE,
        any::<i32>().prop_map(f64::from)
    ]
}

fn heading() -> impl Strategy<Value = Heading> {
    (option::of(text()), option::of(vec(any::<u8>(), 1..20)))
}

fn axis() -> impl Strategy<Value = AxisFields> {
    let scale = prop_oneof!["linear|log|symlog|logit|datetime|categorical|asinh", text()];
    let scale = scale.prop_map(|name| Scale::from_name(&name));
    (
        option::of(text()),
        vec(number(), 0..4),
        vec(any::<String>(), 0..4),
        option::of(scale),
    )
}

fn point_data() -> impl Strategy<Value = PointData> {
    (option::of(text()), vec((number(), number()), 0..5))
        .prop_map(|(label, points)| filled!(PointData { label, points }))
}

fn bar_data() -> impl Strategy<Value = BarData> {
    (option::of(text()), option::of(text()), option::of(number())).prop_map(
        |(label, group, value)| {
            filled!(BarData {
                label,
                group,
                value
            })
        },
    )
}

fn pie_data() -> impl Strategy<Value = PieData> {
    (
        option::of(text()),
        option::of(number()),
        option::of(number()),
        option::of(text()),
    )
        .prop_map(|(label, angle, radius, autopct)| {
            filled!(PieData {
                label,
                angle,
                radius,
                autopct
            })
        })
}

fn box_data() -> impl Strategy<Value = BoxAndWhiskerData> {
    let numbers = [(); 5].map(|()| option::of(number()));
    (option::of(text()), numbers, vec(number(), 0..4)).prop_map(
        |(label, [min, first_quartile, median, third_quartile, max], outliers)| {
            filled!(BoxAndWhiskerData {
                label,
                min,
                first_quartile,
                median,
                third_quartile,
                max,
                outliers
            })
        },
    )
}

/// Charts of unknown types, in the strict form.
fn unknown() -> impl Strategy<Value = Chart> {
    let extra = prop_oneof![
        Just(Value::Null),
        number().prop_map(Value::from),
        any::<String>().prop_map(Value::from)
    ];
    let extra = extra.prop_recursive(3, 8, 3, |value| {
        prop_oneof![
            vec(value.clone(), 0..3).prop_map(Value::from),
            vec((text(), value), 0..3)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    });
    let name = prop_oneof!["unknown|radar|Line", text()].prop_filter("these are known", |name| {
        sandbox_charts::ChartType::from_name(name) == sandbox_charts::ChartType::Unknown
    });
    (name, option::of(text()), vec(("k[a-z]", extra), 0..3)).prop_map(|(name, title, fields)| {
        let mut raw: Map<_, _> = fields.into_iter().collect();
        raw.insert("type".to_owned(), name.into());
        raw.extend(title.map(|title| ("title".to_owned(), Value::from(title))));
        raw.insert("elements".to_owned(), json!([]));
        Chart::from_json(&Value::Object(raw))
    })
}

fn chart() -> impl Strategy<Value = Chart> {
    let simple = prop_oneof![
        with_axes!(LineChart, point_data()).prop_map(Chart::Line),
        with_axes!(ScatterChart, point_data()).prop_map(Chart::Scatter),
        with_axes!(BarChart, bar_data()).prop_map(Chart::Bar),
        with_axes!(PieChart, pie_data()).prop_map(Chart::Pie),
        with_axes!(BoxAndWhiskerChart, box_data()).prop_map(Chart::BoxAndWhisker),
        unknown(),
    ];
    simple.prop_recursive(3, 8, 3, |chart| {
        (heading(), vec(chart, 0..4)).prop_map(|((title, png), elements)| {
            let png = png.map(Into::into);
            Chart::Composite(filled!(CompositeChart {
                title,
                png,
                elements
            }))
        })
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(chart in chart()) {
        let json = chart.to_json();
        prop_assert_eq!(&Chart::from_json(&json), &chart);
        prop_assert_eq!(&Chart::from_slice(json.to_string().as_bytes()), &chart, "as text");
    }
}
