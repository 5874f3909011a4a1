// Compiles the programs of programs.txt with TypeScript, for the test that runs both: `npm install typescript@5.9.3`, then
// `node compile.mjs`. Each program has a line `=== why`, with `!module` if it is an ECMAScript module; what it is compiled to
// follows `--- compiled`, and is written anew.
import fs from 'node:fs';
import ts from 'typescript';

const file = new URL('programs.txt', import.meta.url);
const sections = fs.readFileSync(file, 'utf8').split(/^=== /m).slice(1);
const compiled = sections.map((section) => {
  const [source] = section.split(/^--- compiled\n/m);
  const at = source.indexOf('\n');
  const [why, code] = [source.slice(0, at), source.slice(at + 1)];
  const isModule = why.startsWith('!module ');
  const compilerOptions = {
    module: isModule ? ts.ModuleKind.ESNext : ts.ModuleKind.CommonJS,
    target: isModule ? ts.ScriptTarget.ES2022 : ts.ScriptTarget.ES2021,
    useDefineForClassFields: false,
    esModuleInterop: true,
    inlineSourceMap: true,
    experimentalDecorators: /^(!module )?old /.test(why),
  };
  const { outputText } = ts.transpileModule(code, { compilerOptions, fileName: 'compared.ts' });
  return `=== ${source}--- compiled\n${outputText.trimEnd()}\n`;
});
fs.writeFileSync(file, compiled.join(''));
