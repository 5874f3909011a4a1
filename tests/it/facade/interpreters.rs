//! Interpreters.

use std::time::Duration;

use sandbox_process::{ErrorKind, InterpreterEvent, InterpreterOutcome, Language};

use super::carriers;

#[tokio::test]
async fn what_code_sets_stays() {
    for sandbox in carriers().await {
        let python = sandbox.process.code_interpreter();
        python.run_code("x = 40").await.unwrap();
        let result = python
            .run_code("import os, sys; print(x + 2, os.environ['A']); print('e', file=sys.stderr)")
            .env("A", "b")
            .await
            .unwrap();
        assert_eq!(
            (result.stdout.as_str(), result.stderr.as_str()),
            ("42 b\n", "e\n")
        );
        assert_eq!(
            (result.error, result.outcome),
            (None, InterpreterOutcome::Completed)
        );

        let value = python.run_code("x + 1").await.unwrap();
        assert_eq!(value.displayed.len(), 1, "{value:?}");
        assert_eq!(value.displayed[0].text, "41");

        let context = python.create_context(Some("/usr")).await.unwrap();
        let other = python
            .run_code("import os; print(os.getcwd()); x")
            .context(&context.id);
        let result = other.await.unwrap();
        assert_eq!(result.stdout, "/usr\n");
        let error = result.error.unwrap();
        assert_eq!(error.name, "NameError");
        assert!(error.traceback.contains("line 1"), "{}", error.traceback);
        assert_eq!(
            python.list_contexts().await.unwrap(),
            std::slice::from_ref(&context)
        );
        python.run_code("y = 1").context(&context.id).await.unwrap();
        python.restart_context(&context.id).await.unwrap();
        let forgot = python.run_code("y").context(&context.id).await.unwrap();
        assert_eq!(forgot.error.unwrap().name, "NameError");
        python.delete_context(&context.id).await.unwrap();
        let gone = python.delete_context(&context.id).await.unwrap_err();
        assert_eq!(gone.kind(), ErrorKind::NotFound, "{gone:?}");
        sandbox.end().await;
    }
}

#[tokio::test]
async fn contexts_have_languages() {
    for sandbox in carriers().await {
        let interpreter = sandbox.process.code_interpreter();
        let made = interpreter
            .create_context(Some("/usr"))
            .language(Language::JavaScript);
        let context = made.await.unwrap();
        assert_eq!(
            (context.language.as_str(), context.cwd.as_str()),
            ("javascript", "/usr")
        );
        let declare = "const { basename } = require('path'); let x = await 40";
        let run = async |code: &str| {
            let run = interpreter.run_code(code).context(&context.id);
            run.await.unwrap()
        };
        run(declare).await;
        let result = run("console.log(basename(process.cwd())); x + 2").await;
        assert_eq!(
            (result.stdout.as_str(), result.displayed[0].text.as_str()),
            ("usr\n", "42")
        );
        let error = run("none").await.error.unwrap();
        assert_eq!(error.name, "ReferenceError");
        interpreter.delete_context(&context.id).await.unwrap();
        let refused = interpreter.create_context(None).language(Language::Bash);
        let refused = refused.await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidInput, "{refused:?}");
        sandbox.end().await;
    }
}

#[tokio::test]
async fn code_is_interrupted_and_what_was_set_stays() {
    for sandbox in carriers().await {
        let python = sandbox.process.code_interpreter();
        let code = "import time; x = 1; print('ready', flush=True); time.sleep(60)";
        let mut events = python.run_code(code).stream().await.unwrap();
        let first = events.next().await.unwrap().unwrap();
        assert!(
            matches!(first, InterpreterEvent::Output { .. }),
            "{first:?}"
        );
        python.interrupt_context("default").await.unwrap();
        let mut last = first;
        while let Some(event) = events.next().await {
            last = event.unwrap();
        }
        let InterpreterEvent::Ended { outcome } = last else {
            panic!("{last:?}");
        };
        assert_eq!(outcome, InterpreterOutcome::Interrupted);
        let limited = python
            .run_code("x += 1; time.sleep(1000)")
            .timeout(Duration::from_secs(4));
        assert_eq!(limited.await.unwrap().outcome, InterpreterOutcome::TimedOut);
        assert_eq!(python.run_code("print(x)").await.unwrap().stdout, "2\n");
        sandbox.end().await;
    }
}
