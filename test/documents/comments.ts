import { globSync, readFileSync } from 'node:fs';
import ts from 'typescript';

/** The comments on what source files declare, by name: `MakeTransfer`, and `InboundController.receive` for a method. */
export function commentsOf(...files: string[]): Map<string, string> {
  const comments = new Map<string, string>();
  const note = (name: string, node: ts.Node) => {
    const [doc] = ts.getJSDocCommentsAndTags(node);
    const text = ts.getTextOfJSDocComment(doc?.comment);
    if (text) comments.set(name, text.replace(/\s+/g, ' '));
  };
  const nameOf = ({ name }: ts.NamedDeclaration) => (name && ts.isIdentifier(name) ? name.text : '');
  for (const path of globSync(files)) {
    const source = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest, true);
    for (const statement of source.statements) {
      if (ts.isVariableStatement(statement))
        for (const each of statement.declarationList.declarations) note(nameOf(each), statement);
      if (ts.isTypeAliasDeclaration(statement)) note(nameOf(statement), statement);
      if (ts.isClassDeclaration(statement))
        for (const each of statement.members) note(`${nameOf(statement)}.${nameOf(each)}`, each);
    }
  }
  return comments;
}
