//! Axes, whose coordinates may be numbers or texts.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::fields::{self, Fields, Malformed};
use super::instant;
use crate::axis::{Scale, placed_ticks};
use crate::number;

/// The fields of an axis.
pub(crate) struct PlotAxis {
    pub(crate) label: Option<String>,
    pub(crate) ticks: Vec<f64>,
    pub(crate) tick_labels: Vec<String>,
    pub(crate) scale: Option<Scale>,
}

/// An axis while the points on it are read.
///
/// An axis without a scale, or a linear one, becomes what the first text on it that is not a number says: one of instants or
/// one of categories. Some extractors do not say.
pub(super) struct AxisReader {
    axis: PlotAxis,
    categories: Option<Categories>,
}

impl AxisReader {
    /// Reads the fields that are called as those of [`X_FIELDS`](crate::axis::X_FIELDS).
    pub(super) fn new(
        fields: Fields<'_>,
        [label, ticks, tick_labels, scale]: [&str; 4],
    ) -> Result<Self, Malformed> {
        let mut reader = Self {
            axis: PlotAxis {
                label: fields.text(label)?,
                ticks: Vec::new(),
                tick_labels: Vec::new(),
                scale: fields.text(scale)?.map(|name| Scale::from_name(&name)),
            },
            categories: None,
        };
        let mut labels = fields.list(tick_labels, |label| {
            Ok(Some(if label.is_null() {
                String::new()
            } else {
                fields::text(label)?
            }))
        })?;
        let mut index = 0;
        let ticks = fields.list(ticks, |tick| {
            let tick = reader.tick(tick, index, &mut labels)?;
            index += 1;
            Ok(Some(tick))
        })?;
        (reader.axis.ticks, reader.axis.tick_labels) = placed_ticks(ticks, labels);
        Ok(reader)
    }

    /// The number that stands for a coordinate on the strict wire; `None` when it is absent.
    pub(super) fn coordinate(&mut self, value: &Value) -> Result<Option<f64>, Malformed> {
        Ok(match self.classify(value)? {
            Coordinate::Number(number) => number,
            Coordinate::Name(name) => {
                let axis = &mut self.axis;
                let categories = self.categories.get_or_insert_with(|| Categories::of(axis));
                Some(categories.position(name))
            }
        })
    }

    pub(super) fn finish(self) -> PlotAxis {
        match self.categories {
            None => self.axis,
            Some(categories) => categories.complete(self.axis),
        }
    }

    /// Where a tick is. One that is a category stands at its place in the list, and is labeled with its name.
    fn tick(
        &mut self,
        value: &Value,
        index: usize,
        labels: &mut Vec<String>,
    ) -> Result<Option<f64>, Malformed> {
        Ok(match self.classify(value)? {
            Coordinate::Number(number) => number,
            Coordinate::Name(name) => {
                if labels.len() <= index {
                    labels.resize(index + 1, String::new());
                }
                name.clone_into(&mut labels[index]);
                Some(index as f64)
            }
        })
    }

    fn classify<'a>(&mut self, value: &'a Value) -> Result<Coordinate<'a>, Malformed> {
        let Value::String(text) = value else {
            return fields::number(value).map(Coordinate::Number);
        };
        if self.axis.scale == Some(Scale::Categorical) {
            return Ok(Coordinate::Name(text));
        }
        if let Ok(number) = number::from_text(text) {
            return Ok(Coordinate::Number(number));
        }
        let is_open = matches!(self.axis.scale, None | Some(Scale::Linear));
        if (is_open || self.axis.scale == Some(Scale::Datetime))
            && let Some(days) = instant::days(text)
        {
            self.axis.scale = Some(Scale::Datetime);
            return Ok(Coordinate::Number(Some(days)));
        }
        if is_open {
            self.axis.scale = Some(Scale::Categorical);
            return Ok(Coordinate::Name(text));
        }
        Err(Malformed::new("a coordinate"))
    }
}

/// What a coordinate is, as far as it can be known without the others.
enum Coordinate<'a> {
    Number(Option<f64>),
    Name(&'a str),
}

/// The categories of an axis: those at its ticks, and those that came up since.
struct Categories {
    positions: HashMap<String, f64>,
    /// The bits of the positions that ticks stand at.
    taken: HashSet<u64>,
    /// Where there may be room for the next category.
    next: f64,
    added: Vec<(f64, String)>,
}

impl Categories {
    /// Labels without ticks have them from 0, and ticks without labels have empty ones.
    fn of(axis: &mut PlotAxis) -> Self {
        if axis.ticks.is_empty() {
            axis.ticks = (0..axis.tick_labels.len())
                .map(|index| index as f64)
                .collect();
        }
        axis.tick_labels.resize(axis.ticks.len(), String::new());
        let mut categories = Self {
            positions: HashMap::new(),
            taken: axis.ticks.iter().map(|&tick| bits(tick)).collect(),
            next: 0.0,
            added: Vec::new(),
        };
        for (name, &tick) in axis.tick_labels.iter().zip(&axis.ticks) {
            categories.positions.entry(name.clone()).or_insert(tick);
        }
        categories
    }

    /// Where the category is. A new one takes the first place from 0 that is free, as matplotlib numbers them.
    fn position(&mut self, name: &str) -> f64 {
        if let Some(&position) = self.positions.get(name) {
            return position;
        }
        while self.taken.contains(&bits(self.next)) {
            self.next += 1.0;
        }
        let position = self.next;
        self.next += 1.0;
        self.positions.insert(name.to_owned(), position);
        self.added.push((position, name.to_owned()));
        position
    }

    /// The axis with a tick for each category.
    fn complete(self, mut axis: PlotAxis) -> PlotAxis {
        if !self.added.is_empty() {
            let mut ticks: Vec<_> = axis.ticks.into_iter().zip(axis.tick_labels).collect();
            ticks.extend(self.added);
            ticks.sort_by(|(one, _), (other, _)| one.total_cmp(other));
            (axis.ticks, axis.tick_labels) = ticks.into_iter().unzip();
        }
        axis
    }
}

/// The same for both zeros.
fn bits(number: f64) -> u64 {
    (number + 0.0).to_bits()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Reads an axis with coordinates on it.
    #[track_caller]
    fn check(
        axis: Value,
        coordinates: Value,
        numbers: &[Option<f64>],
        ticks: &[(f64, &str)],
        scale: Option<Scale>,
    ) {
        let (axis, found) = read(&axis, &coordinates).unwrap();
        assert_eq!(found, numbers);
        let labels = axis.tick_labels.iter().map(String::as_str);
        let found: Vec<_> = axis.ticks.iter().copied().zip(labels).collect();
        assert_eq!(found, ticks);
        assert_eq!(axis.scale, scale);
    }

    fn read(axis: &Value, coordinates: &Value) -> Result<(PlotAxis, Vec<Option<f64>>), Malformed> {
        let mut reader = AxisReader::new(Fields::of(axis)?, ["label", "ticks", "labels", "scale"])?;
        let coordinates = coordinates.as_array().unwrap();
        let numbers: Result<_, _> = coordinates
            .iter()
            .map(|one| reader.coordinate(one))
            .collect();
        Ok((reader.finish(), numbers?))
    }

    #[test]
    fn numbers_may_be_texts() {
        check(
            json!({"ticks": [0, "1.5", null], "labels": ["zero", 1.5, null]}),
            json!([1, "2", null, "NaN"]),
            &[Some(1.0), Some(2.0), None, None],
            &[(0.0, "zero"), (1.5, "1.5")],
            None,
        );
    }

    #[test]
    fn texts_show_that_an_axis_has_instants() {
        for scale in [Value::Null, json!("linear"), json!("datetime")] {
            check(
                json!({"ticks": [19723], "labels": ["Jan 1"], "scale": scale}),
                json!(["2024-01-01", 19724, "2024-01-03T00:00:00"]),
                &[Some(19723.0), Some(19724.0), Some(19725.0)],
                &[(19723.0, "Jan 1")],
                Some(Scale::Datetime),
            );
        }
    }

    #[test]
    fn names_are_found_at_the_ticks() {
        for scale in [Value::Null, json!("linear"), json!("categorical")] {
            check(
                json!({"ticks": [0, 1], "labels": ["a", "b"], "scale": scale}),
                json!(["b", "a", 1]),
                &[Some(1.0), Some(0.0), Some(1.0)],
                &[(0.0, "a"), (1.0, "b")],
                Some(Scale::Categorical),
            );
        }
    }

    #[test]
    fn names_without_ticks_get_some() {
        let expect: [(f64, &str); 2] = [(0.0, "b"), (1.0, "a")];
        for axis in [
            json!({}),
            json!({"labels": ["b", "a"]}),
            json!({"ticks": ["b", "a"]}),
        ] {
            let numbers = [Some(0.0), Some(1.0), Some(0.0)];
            check(
                axis,
                json!(["b", "a", "b"]),
                &numbers,
                &expect,
                Some(Scale::Categorical),
            );
        }
    }

    #[test]
    fn names_between_the_ticks_take_their_places() {
        check(
            json!({"ticks": [0, 2], "labels": ["a", "c"], "scale": "categorical"}),
            json!(["a", "2024", "c", "d"]),
            &[Some(0.0), Some(1.0), Some(2.0), Some(3.0)],
            &[(0.0, "a"), (1.0, "2024"), (2.0, "c"), (3.0, "d")],
            Some(Scale::Categorical),
        );
    }

    #[test]
    fn ticks_may_lack_labels() {
        check(
            json!({"ticks": [-0.0, "b"], "labels": []}),
            json!(["c"]),
            &[Some(2.0)],
            &[(-0.0, ""), (1.0, "b"), (2.0, "c")],
            Some(Scale::Categorical),
        );
    }

    #[test]
    fn what_has_no_place_on_an_axis_is_an_error() {
        for (scale, coordinate) in [
            (json!("log"), json!("2024-01-01")),
            (json!("log"), json!("a")),
            (json!("datetime"), json!("a")),
            (Value::Null, json!(true)),
            (Value::Null, json!([1])),
        ] {
            let axis = json!({"scale": scale});
            assert!(read(&axis, &json!([coordinate])).is_err(), "{coordinate}");
            assert!(read(&json!({"scale": scale, "ticks": [coordinate]}), &json!([])).is_err());
        }
    }
}
