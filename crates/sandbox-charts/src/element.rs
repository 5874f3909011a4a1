//! What was drawn.

/// A series of points, of a line or a scatter chart.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct PointSeries {
    /// The series' label.
    pub label: Option<String>,
    /// The points as (x, y) coordinates; each number is finite. On a datetime axis they are days since 1970-01-01, on a
    /// categorical one positions from 0.
    pub points: Vec<(f64, f64)>,
}

/// A bar.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct BarElement {
    /// The category at the bar's place.
    pub label: Option<String>,
    /// The label of the bars that it belongs to.
    pub group: Option<String>,
    /// The bar's own length. `None` where the wire's text is no number.
    pub value: Option<f64>,
}

/// A wedge of a pie.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct PieElement {
    /// The wedge's label.
    pub label: Option<String>,
    /// Its angle in degrees.
    pub angle: Option<f64>,
    /// Its radius; a whole pie's is 1 unless told otherwise.
    pub radius: Option<f64>,
    /// The text that is written on it.
    pub autopct: Option<String>,
}

/// A box with its whiskers.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct BoxElement {
    /// The box's label.
    pub label: Option<String>,
    /// The end of the lower whisker.
    pub min: Option<f64>,
    /// The lower edge of the box.
    pub first_quartile: Option<f64>,
    /// The line in the box.
    pub median: Option<f64>,
    /// The upper edge of the box.
    pub third_quartile: Option<f64>,
    /// The end of the upper whisker.
    pub max: Option<f64>,
    /// The points beyond the whiskers.
    pub outliers: Vec<f64>,
}
