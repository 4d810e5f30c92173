import { preact } from '@preact/preset-vite';
import { defaultClientConditions, defineConfig } from 'vite';

export default defineConfig({
  plugins: [preact()],
  resolve: { conditions: ['source', ...defaultClientConditions] },
  build: { outDir: '../../../dist/tools/simulator/web', emptyOutDir: true },
});
