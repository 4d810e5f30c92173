import { fileURLToPath } from 'node:url';
import { expect, it } from '@jest/globals';
import ts from 'typescript';

/**
 * The oldest WebView that it runs in is of 2018 (Chrome 67): the language of then, and BigInt. Newer syntax is lowered by whoever bundles it,
 * newer methods are not. Nor has it a platform: neither Node's globals nor a browser's.
 */
it('needs nothing of its platform but ES2018 and BigInt', () => {
  const program = ts.createProgram([fileURLToPath(new URL('index.ts', import.meta.url))], {
    lib: ['lib.es2018.d.ts', 'lib.es2020.bigint.d.ts'],
    types: [],
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    allowImportingTsExtensions: true,
    noEmit: true,
    strict: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: true,
  });
  const found = ts.getPreEmitDiagnostics(program).map(({ file, start = 0, messageText }) => {
    const line = file && `${file.fileName.replace(/.*\//, '')}:${file.getLineAndCharacterOfPosition(start).line + 1}`;
    return `${line}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
  });
  expect(found).toEqual([]);
  const sources = program.getSourceFiles().map(({ fileName }) => fileName);
  expect(sources.filter((path) => /noble|node:|\/node\.ts/.test(path))).toEqual([]);
});
