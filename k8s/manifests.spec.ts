import { spawnSync } from 'node:child_process';
import { describe, expect, it } from '@jest/globals';
import { keepDocument } from '#libs/testing';
import { parseAllDocuments } from 'yaml';

const HEAD = '# Rendered from helm/smspay with k8s/manifests-values.yaml, by npm run manifests.\n';

/** Which file holds what the chart makes with a hook: what runs before, what a test runs, and all that stays. */
const fileOf = (hook = '') => (hook.startsWith('pre-') ? 'before' : hook === 'test' ? 'test' : 'smspay');

/** The text of each file. */
function render(): Map<string, string> {
  const options = ['--namespace', 'smspay', '--kube-version', '1.35.0', '-f', 'k8s/manifests-values.yaml'];
  const { status, stdout, stderr } = spawnSync('helm', ['template', 'smspay', 'helm/smspay', ...options], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  const files = new Map<string, string>();
  for (const document of parseAllDocuments(stdout)) {
    const manifest = document.toJS() as { metadata: { annotations?: Record<string, string> } } | null;
    if (!manifest) continue;
    const file = `k8s/manifests/${fileOf(manifest.metadata.annotations?.['helm.sh/hook'])}.yaml`;
    // Above each is the name of its template.
    if (document.contents) document.contents.commentBefore = null;
    files.set(file, `${files.get(file) ?? HEAD}---\n${document.toString({ directives: false, lineWidth: 0 })}`);
  }
  return files;
}

const hasHelm = spawnSync('helm', ['version']).status === 0;
(hasHelm ? describe : describe.skip)('the plain manifests', () => {
  it('are what the chart renders', () => {
    const files = render();
    expect([...files.keys()].toSorted()).toEqual(['before', 'smspay', 'test'].map((name) => `k8s/manifests/${name}.yaml`));
    for (const [name, text] of files) keepDocument(name, text);
  });
});
