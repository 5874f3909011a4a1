// Compiles the programs of programs.txt and imports.txt with TypeScript, for the tests that run both:
// `npm install typescript@5.9.3`, then `node compile.mjs`. Each program has a line `=== why`, with `!module` if it is an
// ECMAScript module; what it is compiled to follows `--- compiled`, and is written anew. In imports.txt each program has
// several files, which follow `--- NAME`; those of TypeScript are compiled to `--- compiled NAME`.
import fs from 'node:fs';
import ts from 'typescript';

const compile = (code, why, fileName) => {
  const isModule = why.startsWith('!module ');
  const compilerOptions = {
    module: isModule ? ts.ModuleKind.ESNext : ts.ModuleKind.CommonJS,
    target: isModule ? ts.ScriptTarget.ES2022 : ts.ScriptTarget.ES2021,
    useDefineForClassFields: false,
    esModuleInterop: true,
    inlineSourceMap: true,
    experimentalDecorators: /^(!module )?old /.test(why),
  };
  return ts.transpileModule(code, { compilerOptions, fileName }).outputText.trimEnd();
};

const rewrite = (name, change) => {
  const file = new URL(name, import.meta.url);
  const sections = fs.readFileSync(file, 'utf8').split(/^=== /m).slice(1);
  const changed = sections.map((section) => {
    const at = section.indexOf('\n');
    const [why, rest] = [section.slice(0, at), section.slice(at + 1)];
    return `=== ${why}\n${change(why, rest)}`;
  });
  fs.writeFileSync(file, changed.join(''));
};

rewrite('programs.txt', (why, rest) => {
  const [code] = rest.split(/^--- compiled\n/m);
  return `${code}--- compiled\n${compile(code, why, 'compared.ts')}\n`;
});

rewrite('imports.txt', (why, rest) => {
  const files = rest.split(/^--- /m).slice(1).filter((file) => !file.startsWith('compiled '));
  const compiled = files.filter((file) => /^\S+ts\n/.test(file)).map((file) => {
    const at = file.indexOf('\n');
    const [path, code] = [file.slice(0, at), file.slice(at + 1)];
    return `compiled ${path.replace(/ts$/, 'js')}\n${compile(code, why, path.split('/').pop())}\n`;
  });
  return [...files, ...compiled].map((file) => `--- ${file}`).join('');
});
