"""Programs that are hard to read, and what children write where the daemon reads."""

import json
import threading

from harness import attack, in_parallel

# The shortest of each shape that once overflowed a stack of 2 MiB has about a thousand levels.
SHAPES = {
    "brackets": lambda n: "[" * n + "]" * n,
    "parentheses": lambda n: "(" * n + "1" + ")" * n,
    "blocks": lambda n: "{" * n + "}" * n,
    "objects": lambda n: "x=" + "{a:" * n + "1" + "}" * n,
    "open brackets": lambda n: "[" * n,
    "unary": lambda n: "!" * n + "1",
    "conditional": lambda n: "1?" * n + "1" + ":1" * n,
    "sum": lambda n: "1" + "+1" * n,
    "strings": lambda n: "''" + "+'a'" * n,
    "calls": lambda n: "a" + ".b()" * n,
    "arrows": lambda n: "a=>" * n + "1",
    "templates": lambda n: "`${" * n + "1" + "}`" * n,
    "else if": lambda n: "if(0){}" + "else if(0){}" * n,
    "functions": lambda n: "function f(){" * n + "}" * n,
    "classes": lambda n: "(class{a=" * n + "1" + "})" * n,
    "awaits": lambda n: "await " * n + "1",
    "imports": lambda n: "import('a'+" * n + "'b'" + ")" * n,
}

TYPESCRIPT_SHAPES = {
    "type arguments": lambda n: "type A = " + "Array<" * n + "1" + ">" * n,
    "union": lambda n: "type A = 1" + "|1" * n,
    "conditional types": lambda n: "type A<T> = " + "T extends 1 ? 1 : " * n + "1",
    "type parentheses": lambda n: "let a: " + "(" * n + "number" + ")" * n,
    "casts": lambda n: "1" + " as any" * n,
    "decorators": lambda n: "@a " * n + "class B{}",
    "namespaces": lambda n: "namespace A{" * n + "}" * n,
    "generics in expressions": lambda n: "f" + "<A" * n + ">" * n,
}


# JavaScript is read by the daemon only to find out of which kind it is; its parser is that of TypeScript.
JAVASCRIPT_SHAPES = {name: SHAPES[name] for name in ("brackets", "awaits", "imports")}


@attack("No program, however it nests, ends anything but itself.")
def nested_programs(run):
    daemon = run.daemon()
    sizes = run.times([30_000], [1_400, 20_000, 100_000, 1_000_000])
    javascript = run.times(JAVASCRIPT_SHAPES, SHAPES)
    for language, shapes in [("javascript", javascript), ("typescript", SHAPES | TYPESCRIPT_SHAPES)]:
        for name, shape in shapes.items():
            for size in sizes:
                status, text = daemon.client(150).raw(
                    "POST",
                    "/process/code-run",
                    {"code": shape(size), "language": language, "timeout": 100},
                )
                assert daemon.process.poll() is None, f"{language}, {name} x {size}: {daemon.log()[-500:]}"
                assert status in (200, 408), (language, name, size, status, text[:300])
    daemon.assert_well()


@attack("No code of an interpreter context, however it nests, ends anything but its context.")
def nested_cells(run):
    daemon = run.daemon()
    client = daemon.client()
    size = run.times(50_000, 1_000_000)
    for language in ("python", "javascript", "typescript"):
        for name in ("brackets", "parentheses", "sum", "arrows", "unary", "open brackets"):
            context = client("POST", "/process/interpreter/context", {"language": language})["id"]
            socket = daemon.websocket("/process/interpreter/execute", timeout=150)
            request = {"code": SHAPES[name](size), "contextId": context}
            socket.send(json.dumps(request).encode(), 1)
            _, code = socket.to_the_end()
            assert code is not None, (language, name)
            client("DELETE", f"/process/interpreter/context/{context}")
    daemon.assert_well()


@attack("While hostile programs are translated, others are served.")
def nested_programs_beside_others(run):
    daemon = run.daemon()
    stop = threading.Event()

    def hostile(_):
        while not stop.is_set():
            daemon.client().raw(
                "POST", "/process/code-run", {"code": "[" * 100_000, "language": "typescript", "timeout": 60}
            )

    others = threading.Thread(target=lambda: in_parallel(4, hostile), daemon=True)
    others.start()
    try:
        for number in range(run.times(5, 100)):
            result = daemon.client().run_code(f"const n: number = {number}; console.log(n)", "typescript")
            assert (result["exitCode"], result["result"]) == (0, f"{number}\n"), result
    finally:
        stop.set()
        others.join()
    daemon.assert_well()


WRITE = """
import os
for name in os.listdir('/proc/self/fd'):
    if int(name) > 2:
        try: os.write(int(name), {data})
        except OSError: pass
print('written')
"""


@attack("What a program writes to descriptors that are not its own costs at most its own result.")
def forged_channels(run):
    daemon = run.daemon()
    nested = "b'{\"type\":\"composite_chart\",\"elements\":['*1500+b']}'*1500"
    payloads = {
        "zeros": "bytes(60000)",
        "ones": "b'\\xff' * 60000",
        "deep JSON": "(lambda b: len(b).to_bytes(4, 'little') + b)(b'[' * 50000)",
        "deep charts": f"(lambda b: len(b).to_bytes(4, 'little') + b)({nested})",
        "a huge length": "b'\\xff\\xff\\xff\\x7f' + b'x' * 1000",
    }
    for name, data in payloads.items():
        result = daemon.client().run_code(WRITE.format(data=data), "python")
        assert result["result"] == "written\n", (name, result)
    daemon.assert_well()
