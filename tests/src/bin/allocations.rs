//! A program that counts the allocations of a call of the client, and of hyper alone.
//!
//! `allocations URL` prints both. It is no part of the bench that runs it: its allocator counts, and copies what other allocators
//! extend in place, so that what the bench measures would be slower than the programs that are delivered.

#![expect(clippy::print_stdout, reason = "it prints what it counts")]

use allocation_counter::measure;
use sandbox_tests::Calls;

const CALLS: u32 = 1000;

fn main() {
    let url = std::env::args().nth(1).expect("a URL");
    let mut calls = Calls::connect(&url);
    for call in [Calls::ours, Calls::bare] {
        // What the first ones allocate for all.
        (0..CALLS).for_each(|_| call(&mut calls));
        let counted = measure(|| (0..CALLS).for_each(|_| call(&mut calls)));
        let count = u32::try_from(counted.count_total).unwrap_or(u32::MAX);
        println!("{}", f64::from(count) / f64::from(CALLS));
    }
}
