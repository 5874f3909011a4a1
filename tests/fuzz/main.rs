//! Runs the fuzz targets on the stable compiler: the same inputs each time, half a second each.
//!
//! With `SANDBOX_FUZZ_SECONDS` each target runs for that long instead, and prints how many inputs it took.

mod children;
mod clients;
mod codec;
mod control;
mod descriptions;
mod pictures;
mod runner;
mod servers;
