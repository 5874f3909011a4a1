//! The client, against a server that does nothing.

use std::time::Instant;

use allocation_counter::measure;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustix::thread::{CpuSet, sched_setaffinity};
use sandbox_process::Process;

use super::FEW;
use crate::measure::{Goal, Row, Samples, Unit, rate};
use crate::null;

const CALLS: u32 = 1000;
const BODY: &[u8] = br#"{"command":"true","splitOutput":true}"#;

pub(crate) fn rows() -> Vec<Row> {
    // A thread of its own, since a runtime cannot wait inside another, and so that all that is allocated is the client's.
    std::thread::spawn(on_a_thread)
        .join()
        .expect("the client's thread")
}

fn on_a_thread() -> Vec<Row> {
    // With the server's threads on one processor: what it takes to wake another one differs more than what is measured.
    let mut one = CpuSet::new();
    one.set(0);
    sched_setaffinity(None, &one).expect("a processor");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let url = null::serve();
    let process = Process::connect(&url).expect("a client");
    let address = url.strip_prefix("http://").expect("TCP").to_owned();
    let mut hyper = runtime.block_on(connect(&address));
    let ours = async || {
        process.exec("true").await.expect("an outcome");
    };
    let bare = async |sender: &mut http1::SendRequest<Full<Bytes>>| {
        let request = Request::post("/process/execute")
            .header("host", "localhost")
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from_static(BODY)))
            .expect("a request");
        let response = sender.send_request(request).await.expect("a response");
        response.into_body().collect().await.expect("a body");
    };
    let (mut rates, mut limits) = (Samples::default(), Samples::default());
    let (mut allocations, mut least) = (Samples::default(), Samples::default());
    for round in 0..=2 * FEW {
        let run = |work: &mut dyn FnMut()| {
            let started = Instant::now();
            let counted = measure(|| (0..CALLS).for_each(|_| work()));
            let count = u32::try_from(counted.count_total).unwrap_or(u32::MAX);
            (rate(CALLS, started), f64::from(count) / f64::from(CALLS))
        };
        let one = run(&mut || runtime.block_on(ours()));
        let other = run(&mut || runtime.block_on(bare(&mut hyper)));
        if round > 0 {
            rates.add(one.0);
            limits.add(other.0);
            allocations.add(one.1);
            least.add(other.1);
        }
    }
    vec![
        Row::new("client: exec against a null server", Unit::Calls, rates)
            .limit("hyper alone, the same bytes", limits)
            .goal(Goal::Ratio(0.9)),
        Row::new("client: allocations of a call", Unit::Count, allocations)
            .limit("hyper alone", least),
    ]
}

async fn connect(address: &str) -> http1::SendRequest<Full<Bytes>> {
    let stream = tokio::net::TcpStream::connect(address).await;
    let stream = TokioIo::new(stream.expect("a connection"));
    let (sender, connection) = http1::handshake(stream).await.expect("a connection");
    tokio::spawn(connection);
    sender
}
