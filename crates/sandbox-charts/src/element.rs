//! What charts are made of.

/// A line, or a cloud of points.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct PointData {
    /// The label in the legend. A series without one has a name of matplotlib's, such as `_child0`.
    pub label: Option<String>,
    /// The points as `(x, y)`, in the order of drawing. The [axes](crate::LineChart::x_axis) know what the numbers mean.
    ///
    /// Points without both coordinates, NaN and infinity among them, are left out.
    pub points: Vec<(f64, f64)>,
}

/// A bar.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct BarData {
    /// The category at the position of the bar.
    pub label: Option<String>,
    /// The label of the series that the bar belongs to; of matplotlib's making, such as `_container0`, when it has none.
    pub group: Option<String>,
    /// The length of the bar. On the wire it is a text.
    pub value: Option<f64>,
}

/// A wedge of a pie.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct PieData {
    /// The label of the wedge.
    pub label: Option<String>,
    /// How far the wedge reaches around, in degrees; the whole pie has 360.
    pub angle: Option<f64>,
    /// The radius; 1 unless the program said otherwise.
    pub radius: Option<f64>,
    /// The text on the wedge, such as `30%`, if the program asked for one.
    pub autopct: Option<String>,
}

/// A box with whiskers.
///
/// The numbers are as the extractor sent them: Daytona's own is known to leave out some of them.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct BoxAndWhiskerData {
    /// The category at the position of the box.
    pub label: Option<String>,
    /// The end of the lower whisker.
    pub min: Option<f64>,
    /// The lower end of the box.
    pub first_quartile: Option<f64>,
    /// The line across the box.
    pub median: Option<f64>,
    /// The upper end of the box.
    pub third_quartile: Option<f64>,
    /// The end of the upper whisker.
    pub max: Option<f64>,
    /// What lies beyond the whiskers.
    pub outliers: Vec<f64>,
}
