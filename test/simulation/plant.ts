// Preloaded by `npm run simulate -- --mutants`: puts a known bug into the code as it is loaded.
import { registerHooks } from 'node:module';
import { MUTANTS, planted } from './mutants.ts';

const mutant = MUTANTS.find(({ name }) => name === process.env['SMSPAY_MUTANT']);
if (!mutant) throw new Error(`no mutant ${process.env['SMSPAY_MUTANT']}`);
const file = `/dist/${mutant.file}.js`;

registerHooks({
  load(url, context, next) {
    const loaded = next(url, context);
    if (!url.endsWith(file) || loaded.source === undefined || loaded.source === null) return loaded;
    return { ...loaded, source: planted(mutant, new TextDecoder().decode(loaded.source as Uint8Array)) };
  },
});
