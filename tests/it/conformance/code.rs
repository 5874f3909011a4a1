//! Programs.

use sandbox_tests::Sandbox;
use sandbox_wire::rest::CodeRunRequest;

use super::transcript::Transcript;
use super::{Case, cases, compare};

const CASES: &[Case] = cases![programs, charts, split, limits, refusals];

#[tokio::test(flavor = "multi_thread")]
async fn code() {
    compare(CASES).await;
}

fn python(code: &str) -> CodeRunRequest {
    CodeRunRequest {
        code: code.to_owned(),
        language: "python".to_owned(),
        ..CodeRunRequest::default()
    }
}

async fn programs(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    for code in [
        "print('é')",
        "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)",
        "1 / 0",
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
        "import sys; sys.stdout.buffer.write(b'\\xff\\x01')",
        "print(input())",
        "for i in range(20000): print('line', i)",
    ] {
        told.result(code, api.code_run(python(code)).await);
    }
    let request = CodeRunRequest {
        argv: Some(vec!["a b".to_owned(), String::new()]),
        envs: Some([("X".to_owned(), Some("y".to_owned()))].into()),
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
    let charts = result
        .as_ref()
        .ok()
        .and_then(|response| response.artifacts.as_ref());
    let charts = charts.and_then(|artifacts| artifacts.charts.as_ref());
    if sandbox_tests::python().is_some() {
        assert_eq!(charts.map(Vec::len), Some(2), "{result:?}");
    }
    told.result("charts", result);
}

async fn split(sandbox: &Sandbox, told: &mut Transcript) {
    let request = CodeRunRequest {
        split_output: Some(true),
        ..python("import sys; print('out'); print('err', file=sys.stderr)")
    };
    let mut response = sandbox.process.api().code_run(request).await.unwrap();
    // Two pipes have no order.
    response.result.clear();
    told.tell("response", response);
}

async fn limits(sandbox: &Sandbox, told: &mut Transcript) {
    let slow = "import time; print('begin', flush=True); time.sleep(60)";
    let request = CodeRunRequest {
        timeout: Some(2),
        ..python(slow)
    };
    told.result("limited", sandbox.process.api().code_run(request).await);
}

async fn refusals(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    told.result("empty", api.code_run(python("")).await);
    for language in ["", "cobol", "ruby"] {
        let request = CodeRunRequest {
            language: language.to_owned(),
            envs: Some([("PATH".to_owned(), Some("/none".to_owned()))].into()),
            ..python("1")
        };
        told.result(language, api.code_run(request).await);
    }
    let request = CodeRunRequest {
        envs: Some([("A-B".to_owned(), None)].into()),
        ..python("1")
    };
    told.result("bad name", api.code_run(request).await);
}
