//! The charts that have two axes.

use serde_json::Value;

use crate::axis::{Axis, Scale, X_FIELDS, Y_FIELDS};
use crate::element::{BarData, BoxAndWhiskerData, PieData, PointData};
use crate::png::Png;
use crate::read::Plot;
use crate::write::Object;

/// Makes charts that differ in their elements only.
macro_rules! charts {
    ($($(#[$attribute:meta])* $name:ident of $element:ty;)*) => {$(
        $(#[$attribute])*
        #[derive(Debug, Clone, Default, PartialEq)]
        #[non_exhaustive]
        pub struct $name {
            /// The title of the axes, or of the figure when they have none.
            pub title: Option<String>,
            /// The picture of the figure. A part of a composite chart has none as a rule.
            pub png: Option<Png>,
            /// What the x axis is called.
            pub x_label: Option<String>,
            /// What the y axis is called.
            pub y_label: Option<String>,
            /// Where the ticks of the x axis are. [`x_axis`](Self::x_axis) knows what the numbers mean.
            pub x_ticks: Vec<f64>,
            /// Where the ticks of the y axis are.
            pub y_ticks: Vec<f64>,
            /// What stands at the ticks of the x axis, one text for each.
            pub x_tick_labels: Vec<String>,
            /// What stands at the ticks of the y axis, one text for each.
            pub y_tick_labels: Vec<String>,
            /// The scale of the x axis; `None` when the extractor did not say, then it is mostly linear.
            pub x_scale: Option<Scale>,
            /// The scale of the y axis; `None` when the extractor did not say, then it is mostly linear.
            pub y_scale: Option<Scale>,
            /// What was drawn, in the order of drawing.
            pub elements: Vec<$element>,
        }

        impl $name {
            /// Returns the x axis as a whole, which knows what its coordinates mean.
            pub fn x_axis(&self) -> Axis<'_> {
                Axis {
                    label: self.x_label.as_deref(),
                    ticks: &self.x_ticks,
                    tick_labels: &self.x_tick_labels,
                    scale: self.x_scale.as_ref(),
                }
            }

            /// Returns the y axis as a whole, which knows what its coordinates mean.
            pub fn y_axis(&self) -> Axis<'_> {
                Axis {
                    label: self.y_label.as_deref(),
                    ticks: &self.y_ticks,
                    tick_labels: &self.y_tick_labels,
                    scale: self.y_scale.as_ref(),
                }
            }

            /// The strict form, but for the type.
            pub(crate) fn object(&self, element: fn(&$element) -> Value) -> Object {
                let mut object = Object::default();
                object.text("title", self.title.as_deref());
                object.png(self.png.as_ref());
                object.axis(X_FIELDS, self.x_axis());
                object.axis(Y_FIELDS, self.y_axis());
                object.elements(self.elements.iter().map(element));
                object
            }
        }

        impl From<Plot<$element>> for $name {
            fn from(plot: Plot<$element>) -> Self {
                Self {
                    title: plot.title,
                    png: plot.png,
                    x_label: plot.x.label,
                    y_label: plot.y.label,
                    x_ticks: plot.x.ticks,
                    y_ticks: plot.y.ticks,
                    x_tick_labels: plot.x.tick_labels,
                    y_tick_labels: plot.y.tick_labels,
                    x_scale: plot.x.scale,
                    y_scale: plot.y.scale,
                    elements: plot.elements,
                }
            }
        }
    )*};
}

charts! {
    /// Lines through points, one element for each line.
    LineChart of PointData;

    /// Clouds of points, one element for each call of `scatter`.
    ScatterChart of PointData;

    /// Bars, one element for each. Bars of a histogram are labeled with their middles.
    ///
    /// `x_label` is that of the categories, also when the bars lie. The other fields of the axes are as drawn.
    BarChart of BarData;

    /// Wedges of a pie or a donut, one element for each. Its axes are mostly bare.
    PieChart of PieData;

    /// Boxes with whiskers and outliers, one element for each box.
    ///
    /// `x_label` is that of the categories, also when the boxes lie. The other fields of the axes are as drawn.
    BoxAndWhiskerChart of BoxAndWhiskerData;
}
