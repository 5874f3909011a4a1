//! What the daemon is.

use std::collections::BTreeMap;

use sandbox_tests::Sandbox;
use sandbox_wire::rest::UpdateEnvRequest;

use super::exec::command;
use super::transcript::Transcript;
use super::{Case, cases, compare};

const CASES: &[Case] = cases![what_it_is, metrics, environment];

#[tokio::test(flavor = "multi_thread")]
async fn info() {
    compare(CASES).await;
}

async fn what_it_is(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    told.result("version", api.version().await);
    told.result("capabilities", api.capabilities().await);
    told.result("work_dir", api.work_dir().await);
    told.result("home_dir", api.home_dir().await);
}

async fn metrics(sandbox: &Sandbox, told: &mut Transcript) {
    let metrics = sandbox.process.api().metrics().await.unwrap();
    told.tell("cpus", metrics.cpu_count);
    told.tell("containment", &metrics.containment);
    told.tell("memory", metrics.mem_total);
    told.tell("disk", metrics.disk_total);
    let known = (
        metrics.mem_used.is_some(),
        metrics.mem_cache.is_some(),
        (metrics.disk_used.is_some(), metrics.disk_free.is_some()),
        metrics.timestamp.map(|text| text.len()),
        metrics.timestamp_unix.is_some_and(|seconds| seconds > 0),
    );
    told.tell("known", known);
}

async fn environment(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    let set = |pairs: &[(&str, Option<&str>)]| {
        let pairs = pairs.iter();
        let pairs = pairs.map(|(name, value)| ((*name).to_owned(), value.map(str::to_owned)));
        Some(BTreeMap::from_iter(pairs))
    };
    let request = UpdateEnvRequest {
        set: set(&[
            ("CASE_A", Some("a\nb")),
            ("CASE_B", None),
            ("CASE_C", Some("prefix-c")),
        ]),
        ..UpdateEnvRequest::default()
    };
    told.result("set", api.update_env(request).await);
    let show = "echo \"${CASE_A-none},${CASE_B-none},${CASE_C-none}\"";
    told.result("shown", api.execute(command(show)).await);
    let request = UpdateEnvRequest {
        unset: Some(vec!["CASE_A".to_owned()]),
        unset_value_prefix: Some("prefix-".to_owned()),
        ..UpdateEnvRequest::default()
    };
    told.result("unset", api.update_env(request).await);
    told.result("shown", api.execute(command(show)).await);
    let request = UpdateEnvRequest {
        set: set(&[("A-B", Some(""))]),
        ..UpdateEnvRequest::default()
    };
    told.result("bad name", api.update_env(request).await);
}
