//! Charts to JSON in the strict form.

mod chart;
mod object;
mod strict;

pub(crate) use chart::chart;
pub(crate) use object::Object;
pub(crate) use strict::is_strict;
