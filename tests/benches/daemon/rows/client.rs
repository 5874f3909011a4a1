//! The client, against a server that does nothing.

use std::time::Instant;

use rustix::thread::{CpuSet, sched_setaffinity};
use sandbox_tests::Calls;

use super::FEW;
use crate::measure::{Goal, Row, Samples, Unit, rate};
use crate::{bare, null};

const CALLS: u32 = 1000;

pub(crate) fn rows() -> Vec<Row> {
    // A thread of its own, since a runtime cannot wait inside another.
    std::thread::spawn(on_a_thread)
        .join()
        .expect("the client's thread")
}

fn on_a_thread() -> Vec<Row> {
    // With the server's threads on one processor: what it takes to wake another one differs more than what is measured.
    let mut one = CpuSet::new();
    one.set(0);
    sched_setaffinity(None, &one).expect("a processor");
    let url = null::serve();
    let mut calls = Calls::connect(&url);
    let (mut rates, mut limits) = (Samples::default(), Samples::default());
    for round in 0..=2 * FEW {
        let mut run = |call: fn(&mut Calls)| {
            let started = Instant::now();
            (0..CALLS).for_each(|_| call(&mut calls));
            rate(CALLS, started)
        };
        let (one, other) = (run(Calls::ours), run(Calls::bare));
        if round > 0 {
            rates.add(one);
            limits.add(other);
        }
    }
    let [ours, least] = allocations(&url);
    vec![
        Row::new("client: exec against a null server", Unit::Calls, rates)
            .limit("hyper alone, the same bytes", limits)
            .goal(Goal::Ratio(0.9)),
        Row::new("client: allocations of a call", Unit::Count, ours).limit("hyper alone", least),
    ]
}

/// Returns how many allocations a call of the client has, and one of hyper alone.
fn allocations(url: &str) -> [Samples; 2] {
    let counted = bare::command(&[env!("CARGO_BIN_EXE_allocations"), url]).output();
    let counted = counted.expect("the program that counts").stdout;
    let text = String::from_utf8(counted).expect("numbers");
    let mut counts = text.lines().map(|line| {
        let mut samples = Samples::default();
        samples.add(line.parse().expect("a number"));
        samples
    });
    [(); 2].map(|()| counts.next().expect("two numbers"))
}
