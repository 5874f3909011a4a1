//! Interpreters.

use std::time::Duration;

use sandbox_process::{ErrorKind, InterpreterEvent, Language, Termination};
use sandbox_tests::Sandbox;

async fn what_code_sets_stays(sandbox: Sandbox) {
    let python = sandbox.process.code_interpreter();
    python.run_code("x = 40").await.unwrap();
    let code = "import os, sys; print(x + 2, os.environ['A']); print('e', file=sys.stderr)";
    let outcome = python.run_code(code).env("A", "b").await.unwrap();
    assert_eq!(
        (&*outcome.stdout, &*outcome.stderr),
        (&b"42 b\n"[..], &b"e\n"[..])
    );
    assert_eq!((outcome.exit_code(), &outcome.error), (Some(0), &None));

    let value = sandbox
        .process
        .default_context()
        .run("x + 1")
        .await
        .unwrap();
    assert_eq!(value.displays.len(), 1, "{value:?}");
    assert_eq!(value.displays[0].text, "41");

    let context = python.create_context(Some("/usr")).await.unwrap();
    let outcome = context
        .run("import os; print(os.getcwd()); x")
        .await
        .unwrap();
    assert_eq!(
        (&*outcome.stdout, outcome.exit_code()),
        (&b"/usr\n"[..], Some(1))
    );
    let error = outcome.error.unwrap();
    assert_eq!(error.name, "NameError");
    assert!(error.traceback.contains("line 1"), "{}", error.traceback);
    let listed = python.list_contexts().await.unwrap();
    assert_eq!((listed.len(), &*listed[0].id), (1, context.id()));
    let run = python.run_code("y = 1").context(context.id());
    run.await.unwrap();
    context.restart().await.unwrap();
    let forgot = context.run("y").await.unwrap();
    assert_eq!(forgot.error.unwrap().name, "NameError");
    context.delete().await.unwrap();
    let removed = python.delete_context(context.id()).await.unwrap_err();
    assert_eq!(removed.kind(), ErrorKind::NotFound, "{removed:?}");
    sandbox.shutdown().await;
}
on_every_transport!(what_code_sets_stays);

async fn contexts_have_languages(sandbox: Sandbox) {
    let process = &sandbox.process;
    let create = process.create_context(Language::JavaScript).cwd("/usr");
    let context = create.await.unwrap();
    let listed = process.list_contexts().await.unwrap();
    assert_eq!(
        (listed[0].language.as_str(), listed[0].cwd.as_str()),
        ("javascript", "/usr")
    );
    let declare = "const { basename } = require('path'); let x = await 40";
    context.run(declare).await.unwrap();
    let show = context.run("console.log(basename(process.cwd())); x + 2");
    let outcome = show.await.unwrap();
    assert_eq!(
        (&*outcome.stdout, outcome.displays[0].text.as_str()),
        (&b"usr\n"[..], "42")
    );
    let error = context.run("none").await.unwrap().error.unwrap();
    assert_eq!(error.name, "ReferenceError");
    context.delete().await.unwrap();
    let refused = process.create_context(Language::Bash).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidInput, "{refused:?}");
    sandbox.shutdown().await;
}
on_every_transport!(contexts_have_languages);

async fn code_is_interrupted_and_what_was_set_stays(sandbox: Sandbox) {
    let python = sandbox.process.default_context();
    let code = "import time; x = 1; print('ready', flush=True); time.sleep(60)";
    let mut running = python.run(code).spawn().await.unwrap();
    let first = running.next().await.unwrap().unwrap();
    assert!(
        matches!(first, InterpreterEvent::Output { .. }),
        "{first:?}"
    );
    running.context().interrupt().await.unwrap();
    let outcome = running.wait().await.unwrap();
    assert_eq!(outcome.termination, Termination::Signaled { signal: 2 });
    let limited = python.run("x += 1; print(x, flush=True); time.sleep(1000)");
    let limited = limited.timeout(Duration::from_secs(4)).await.unwrap();
    assert_eq!(limited.termination, Termination::TimedOut);
    // On a busy machine the time may be over before the code has begun.
    let counted = if limited.stdout.is_empty() {
        "1\n"
    } else {
        "2\n"
    };
    assert_eq!(python.run("print(x)").await.unwrap().stdout, counted);
    sandbox.shutdown().await;
}
on_every_transport!(code_is_interrupted_and_what_was_set_stays);
