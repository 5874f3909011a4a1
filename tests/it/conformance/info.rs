//! What the daemon is.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::time::SystemTime;

use sandbox_tests::Sandbox;
use sandbox_transport::{EnvUpdate, ErrorKind};

use super::cases;
use super::exec::command;
use super::transcript::Transcript;

cases![what_it_is, metrics, environment];

async fn ports(sandbox: Sandbox) {
    let listener = (3000..10_000).find_map(|port| TcpListener::bind(("127.0.0.1", port)).ok());
    let listener = listener.expect("a free port");
    let port = listener.local_addr().unwrap().port();
    let api = sandbox.process.api();
    assert!(api.ports().await.unwrap().contains(&port));
    assert!(api.port_in_use(port).await.unwrap());
    let refused = api.port_in_use(80).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidInput);
    sandbox.shutdown().await;
}
on_every_transport!(ports);

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
    told.tell("memory", metrics.memory_total);
    told.tell("disk", metrics.disk_total);
    let known = (
        metrics.memory_used.is_some(),
        metrics.memory_cache.is_some(),
        (metrics.disk_used.is_some(), metrics.disk_free.is_some()),
        metrics.time.is_some_and(|at| at > SystemTime::UNIX_EPOCH),
    );
    told.tell("known", known);
}

async fn environment(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    let set = |pairs: &[(&str, &str)]| {
        let pairs = pairs.iter();
        let pairs = pairs.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        BTreeMap::from_iter(pairs)
    };
    let request = EnvUpdate {
        set: set(&[("CASE_A", "a\nb"), ("CASE_B", ""), ("CASE_C", "prefix-c")]),
        ..EnvUpdate::default()
    };
    told.result("set", api.update_env(request).await);
    let show = "echo \"${CASE_A-none},${CASE_B-none},${CASE_C-none}\"";
    told.result("shown", api.execute(command(show)).await);
    let request = EnvUpdate {
        unset: vec!["CASE_A".to_owned()],
        unset_value_prefix: Some("prefix-".to_owned()),
        ..EnvUpdate::default()
    };
    told.result("unset", api.update_env(request).await);
    told.result("shown", api.execute(command(show)).await);
    let request = EnvUpdate {
        set: set(&[("A-B", "")]),
        ..EnvUpdate::default()
    };
    told.result("bad name", api.update_env(request).await);
}
