//! Tests of how spares start and end; their effects on programs are tested from outside.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use std::time::Instant;

use super::*;
use crate::code::{Language, Program};
use crate::spawner::{ChildFd, ProcessGroup, SpawnLimits};
use crate::warm::slot::Slot;
use crate::{Engine, Environment, RunOptions};

async fn run(engine: &Engine) {
    let program = Program {
        language: Language::JavaScript,
        code: "console.log(1)".to_owned(),
        argv: vec![],
    };
    let outcome = engine.run_code(program, RunOptions::default()).await;
    assert_eq!(outcome.unwrap().output.merged.to_vec(), b"1\n");
}

async fn eventually(condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "it did not come true");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[test]
fn the_text_shows_what_looks_at_the_process() {
    for code in [
        "",
        "console.log(1)",
        "performances()",
        "Date.now(); process.hrtime.bigint()",
    ] {
        assert!(may_begin(code), "{code}");
    }
    for code in [
        "performance.now()",
        "const { uptime } = process",
        "require('node:perf_hooks')",
        "readFileSync('/proc/self/stat')",
        "new Event('a').timeStamp",
    ] {
        assert!(!may_begin(code), "{code}");
    }
    let table = include_str!("../../../tests/it/warm/programs/javascript.txt");
    for part in table.split("#### ").skip(1) {
        let (head, code) = part.split_once('\n').unwrap_or((part, ""));
        assert_eq!(may_begin(code), !head.contains("[cold]"), "{head}");
    }
}

#[tokio::test]
async fn an_unused_spare_ends() {
    let engine = Engine::builder().build().unwrap();
    run(&engine).await;
    let spares = Arc::clone(engine.programs().warm().unwrap().spares());
    eventually(|| spares.is_ready()).await;
    let Slot::Ready(key, _) = std::mem::take(&mut *spares.0.slot()) else {
        panic!("there is a spare");
    };
    let impatient = Spares::ending_after(Duration::from_millis(200));
    *impatient.0.slot() = Slot::Wanted(key);
    impatient.prepare(engine.core().launcher());
    eventually(|| impatient.is_ready()).await;
    eventually(|| matches!(*impatient.0.slot(), Slot::Empty)).await;
    engine.shutdown().await;
}

#[tokio::test]
async fn what_ends_by_itself_is_left_alone_for_a_while() {
    let directory = tempfile::tempdir().unwrap();
    let node = executable(directory.path(), "#!/bin/sh\nexit 0\n");
    let key = Key::of(&spec(&node, directory.path(), &[])).await.unwrap();
    let engine = Engine::builder().build().unwrap();
    let spares = Arc::clone(engine.programs().warm().unwrap().spares());
    *spares.0.slot() = Slot::Wanted(key.clone());
    spares.prepare(engine.core().launcher());
    let is_unfit = || matches!(&*spares.0.slot(), Slot::Unfit(of, _) if *of == key);
    eventually(is_unfit).await;
    assert!(spares.0.take(key.clone()).await.is_none());
    spares.prepare(engine.core().launcher());
    assert!(is_unfit());
    engine.shutdown().await;
}

#[tokio::test]
async fn a_key_is_of_what_is_there_now() {
    let directory = tempfile::tempdir().unwrap();
    let (first, second) = (directory.path().join("a"), directory.path().join("b"));
    std::fs::create_dir(&first).unwrap();
    std::fs::create_dir(&second).unwrap();
    let node = executable(directory.path(), "1");
    let link = directory.path().join("link");
    std::os::unix::fs::symlink(&first, &link).unwrap();
    let key = async || Key::of(&spec(&node, &link, &[])).await;

    let before = key().await.unwrap();
    assert_eq!(key().await.unwrap(), before);
    std::fs::remove_file(&link).unwrap();
    assert_eq!(key().await, None, "it does not start");
    std::os::unix::fs::symlink(&second, &link).unwrap();
    let now = key().await.unwrap();
    assert_ne!(now, before, "another directory by the same name");
    std::fs::rename(&second, directory.path().join("c")).unwrap();
    std::fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink(directory.path().join("c"), &link).unwrap();
    assert_ne!(
        key().await.unwrap(),
        now,
        "the same directory by another name"
    );

    for package in [directory.path().join("c"), directory.path().to_owned()] {
        let before = key().await.unwrap();
        std::fs::write(package.join("package.json"), "{}").unwrap();
        assert_ne!(key().await.unwrap(), before, "a package that came");
    }

    let before = key().await.unwrap();
    std::fs::remove_file(&node).unwrap();
    executable(directory.path(), "2");
    assert_ne!(key().await.unwrap(), before, "another executable");

    let certified = async |name: &str| {
        let mut spec = spec(&node, &link, &[]);
        spec.env.set("NODE_EXTRA_CA_CERTS", name);
        Key::of(&spec).await.unwrap()
    };
    let before = certified("certificates").await;
    std::fs::write(link.join("certificates"), "new").unwrap();
    assert_ne!(
        certified("certificates").await,
        before,
        "certificates that came"
    );

    for (variable, is_served) in [
        ("NODE_ENV", true),
        ("NODE_OPTIONS", false),
        ("NODE_DEBUG", false),
        ("OPENSSL_CONF", false),
        ("K", true),
    ] {
        let key = Key::of(&spec(&node, &link, &[variable])).await;
        assert_eq!(key.is_some(), is_served, "{variable}");
    }
    let mut reads = spec(&node, &link, &[]);
    reads.fds[0] = ChildFd::Input;
    assert_eq!(Key::of(&reads).await, None);
    let mut split = spec(&node, &link, &[]);
    split.fds[2] = ChildFd::Output;
    assert_ne!(Key::of(&split).await, key().await);
}

fn executable(directory: &Path, text: &str) -> std::path::PathBuf {
    let path = directory.join("node");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    path
}

fn spec(program: &Path, cwd: &Path, variables: &[&str]) -> SpawnSpec {
    let mut env = Environment::empty();
    for name in variables {
        env.set(name, "x");
    }
    SpawnSpec {
        program: program.to_owned(),
        argv: ["node", "-e", "", "--"].map(Into::into).to_vec(),
        env,
        cwd: cwd.to_owned(),
        fds: vec![
            ChildFd::Null,
            ChildFd::Output,
            ChildFd::SameAs(1),
            ChildFd::Given(Arc::new(std::fs::File::open("/dev/null").unwrap().into())),
        ],
        group: ProcessGroup::Own,
        limits: SpawnLimits::default(),
    }
}
