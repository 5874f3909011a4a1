//! The ends of sessions, terminals, contexts and runs: when their tasks fail, and when several ends come at once.

mod deadlines;
mod failures;
mod finished;
mod held;
mod model;
mod races;
