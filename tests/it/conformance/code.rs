//! Programs.

use std::time::Duration;

use sandbox_tests::Sandbox;
use sandbox_transport::{CallOptions, RunRequest};

use super::cases;
use super::transcript::Transcript;

cases![programs, charts, split, limits, refusals, keys];

fn python(code: &str) -> RunRequest {
    RunRequest {
        code: code.to_owned(),
        language: "python".to_owned(),
        ..RunRequest::default()
    }
}

async fn programs(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    for code in [
        "print('é')",
        "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)",
        "1 / 0",
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
        "print(input())",
        "for i in range(20000): print('line', i)",
    ] {
        told.result(code, api.code_run(python(code)).await);
    }
    let bytes = "import sys; sys.stdout.buffer.write(b'\\xff\\x01')";
    let outcome = api.code_run(python(bytes)).await.unwrap();
    told.bytes("bytes", &outcome.output.combined, b"\xff\x01");
    let request = RunRequest {
        argv: vec!["a b".to_owned(), String::new()],
        env: [("X".to_owned(), "y".to_owned())].into(),
        ..python("import os, sys; print(sys.argv[1:], os.environ['X'])")
    };
    told.result("arguments", api.code_run(request).await);
}

/// Equal in each field, the picture's bytes included; without matplotlib the error is.
async fn charts(sandbox: &Sandbox, told: &mut Transcript) {
    let code = "import matplotlib.pyplot as plt
print('before')
figure, axes = plt.subplots(1, 2)
axes[0].plot([1, 2, 3], [1, 4, 9], label='squares')
axes[1].bar(['a', 'b'], [1, 2])
plt.show()
plt.pie([1, 3], labels=['é', ''])
plt.show()
print('behind')";
    let result = sandbox.process.api().code_run(python(code)).await;
    if sandbox_tests::python().is_some() {
        let charts = result.as_ref().map(|outcome| outcome.charts.len());
        assert_eq!(charts.ok(), Some(2), "{result:?}");
    }
    told.result("charts", result);
}

async fn split(sandbox: &Sandbox, told: &mut Transcript) {
    let request = RunRequest {
        split_output: true,
        ..python("import sys; print('out'); print('err', file=sys.stderr)")
    };
    let mut response = sandbox.process.api().code_run(request).await.unwrap();
    // Two pipes have no order.
    response.output.combined.clear();
    told.tell("response", response);
}

async fn limits(sandbox: &Sandbox, told: &mut Transcript) {
    let slow = "import time; print('begin', flush=True); time.sleep(60)";
    let request = RunRequest {
        timeout: Some(Duration::from_secs(2)),
        ..python(slow)
    };
    let api = sandbox.process.api();
    // A first program starts the warm interpreter, for which the limit may be short on a busy machine.
    told.result("warm", api.code_run(python("print(1)")).await);
    told.result("limited", api.code_run(request).await);
}

async fn refusals(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    told.result("empty", api.code_run(python("")).await);
    for language in ["", "cobol", "ruby"] {
        let request = RunRequest {
            language: language.to_owned(),
            env: [("PATH".to_owned(), "/none".to_owned())].into(),
            ..python("1")
        };
        told.result(language, api.code_run(request).await);
    }
    let request = RunRequest {
        env: [("A-B".to_owned(), String::new())].into(),
        ..python("1")
    };
    told.result("bad name", api.code_run(request).await);
}

/// What has a key is done once.
async fn keys(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    let code = "open('counted', 'a').write('x'); print(open('counted').read())";
    for key in ["one", "one", "two"] {
        let keyed = api.with_options(CallOptions::new().idempotency_key(key));
        told.result(key, keyed.code_run(python(code)).await);
    }
    let keyed = api.with_options(CallOptions::new().idempotency_key("one"));
    told.result("other", keyed.code_run(python("1")).await);
}
