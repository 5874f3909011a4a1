//! The control plane, which creates sandboxes and reports where their daemons are.

mod client;
mod convert;
mod wait;

pub use client::ControlPlane;
