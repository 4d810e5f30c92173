import { copyOf, type Doc, isDoc, UnknownToStore, type Value } from './values.ts';

type Tree = Map<string, Tree | true>;

/** What of a document is shown; always a copy. By inclusion or by exclusion, as MongoDB has it, of plain paths. */
export function projectionOf(projection: Doc): (document: Doc) => Doc {
  const { _id: id, ...fields } = projection;
  const flags = Object.entries(fields).map(([path, flag]) => [path, shows(path, flag)] as const);
  const includes = flags[0]?.[1] ?? (id !== undefined && shows('_id', id));
  if (flags.some(([, flag]) => flag !== includes)) throw new UnknownToStore('a projection that includes and excludes');
  const paths = flags.map(([path]) => path);
  const showsId = id === undefined || shows('_id', id);
  if (paths.length === 0 && id === undefined) return (document) => copyOf(document);
  if (showsId === includes) paths.push('_id');
  const tree = treeOf(paths);
  return (document) => (includes ? included(document, tree) : excluded(document, tree));
}

function shows(path: string, flag: Value): boolean {
  if (flag !== 1 && flag !== 0 && typeof flag !== 'boolean')
    throw new UnknownToStore(`a projection of ${path} by ${typeof flag}`);
  return Boolean(flag);
}

function treeOf(paths: readonly string[]): Tree {
  const root: Tree = new Map();
  for (const path of paths) {
    let tree = root;
    const parts = path.split('.');
    for (const part of parts.slice(0, -1)) {
      const below = tree.get(part) ?? new Map<string, Tree | true>();
      if (below === true) throw new UnknownToStore(`a projection of a path within another: ${path}`);
      tree.set(part, below);
      tree = below;
    }
    tree.set(parts.at(-1) as string, true);
  }
  return root;
}

function included(document: Doc, tree: Tree): Doc {
  const shown: Doc = {};
  for (const [name, value] of Object.entries(document)) {
    const below = tree.get(name);
    if (below === true) shown[name] = copyOf(value);
    else if (below && isDoc(value)) shown[name] = included(value, below);
    else if (below && Array.isArray(value)) shown[name] = value.filter(isDoc).map((each) => included(each, below));
  }
  return shown;
}

function excluded(document: Doc, tree: Tree): Doc {
  const shown: Doc = {};
  for (const [name, value] of Object.entries(document)) {
    const below = tree.get(name);
    if (below === true) continue;
    if (below && isDoc(value)) shown[name] = excluded(value, below);
    else if (below && Array.isArray(value))
      shown[name] = value.map((each) => (isDoc(each) ? excluded(each, below) : copyOf(each)));
    else shown[name] = copyOf(value);
  }
  return shown;
}
